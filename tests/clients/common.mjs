import { readFile } from "node:fs/promises";
import { basename } from "node:path";

/** The server's address and an access token, from FRAMEWISE_URL and FRAMEWISE_TOKEN. */
export const url = new URL("/graphql", process.env.FRAMEWISE_URL).href;
export const socketUrl = url.replace(/^http/, "ws");
export const headers = { Authorization: `Bearer ${process.env.FRAMEWISE_TOKEN}` };

export const QUERY = "query Me($task: MLTask) { me { username } mlModels(task: $task) { name } }";
export const QUERY_VARIABLES = { task: "FACE_DETECTION" };
export const UPLOAD = `mutation Upload($files: [Upload!]!) {
  uploadVideos(files: $files) { videos { id filename sizeBytes } userErrors { code message } }
}`;
export const SUBSCRIPTION = `subscription Follow($after: String) {
  events(after: $after) { cursor kind videoId }
}`;
export const SUBSCRIPTION_VARIABLES = { after: "0" };

/** The file that the command line names, as clients in browsers have it. */
export async function clip() {
  const path = process.argv[2];
  return new File([await readFile(path)], basename(path), { type: "video/mp4" });
}

/** Print what the client got, as a line of JSON. */
export function report(answers) {
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}
