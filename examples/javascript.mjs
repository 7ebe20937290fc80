/**
 * Upload a video, watch its analysis and count what is in it, with fetch and graphql-ws: `npm install graphql-ws ws`
 * (Node 22 and browsers have a WebSocket of their own, and need no `ws`).
 *
 *     node examples/javascript.mjs clip.mp4
 *
 * FRAMEWISE_URL is the server (http://127.0.0.1:8000), FRAMEWISE_USERNAME and FRAMEWISE_PASSWORD an account on it.
 */
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const url = `${process.env.FRAMEWISE_URL ?? "http://127.0.0.1:8000"}/graphql`;
const video = process.argv[2];

const { session } = await request(
  `mutation ($input: SignInInput!) {
    signIn(input: $input) { session { accessToken } userErrors { message } }
  }`,
  { input: { username: process.env.FRAMEWISE_USERNAME, password: process.env.FRAMEWISE_PASSWORD } },
);
const headers = { Authorization: `Bearer ${session.accessToken}` };

const { analyses } = await upload(
  `mutation ($files: [Upload!]!) {
    uploadVideos(files: $files, analyze: {}) { analyses { id } userErrors { message } }
  }`,
  [new File([await openAsBlob(video)], basename(video))],
);

// The subscription begins with the present state and ends after the last one.
const client = createClient({
  url: url.replace("http", "ws"),
  connectionParams: headers,
  webSocketImpl: WebSocket,
});
const query = `subscription ($id: ID!) {
  analysisProgress(id: $id) { status progress errorMessage counts { label detections tracks } }
}`;
let state;
for await (const { data, errors } of client.iterate({ query, variables: { id: analyses[0].id } })) {
  if (errors) throw new Error(errors[0].message);
  state = data.analysisProgress;
  console.log(`${state.status} ${Math.floor(state.progress)} %`);
}
await client.dispose();

if (state.status !== "SUCCEEDED") throw new Error(state.errorMessage ?? state.status);
for (const { label, detections, tracks } of state.counts) {
  console.log(`${label}: ${detections} detections, ${tracks} tracks`);
}

/** Send an operation as JSON; gives the payload of its only field. */
async function request(query, variables) {
  const body = JSON.stringify({ query, variables });
  return payload(await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body }));
}

/** Send a mutation with files, by the GraphQL multipart request specification. */
async function upload(query, files) {
  const body = new FormData();
  body.append("operations", JSON.stringify({ query, variables: { files: files.map(() => null) } }));
  body.append("map", JSON.stringify(Object.fromEntries(files.map((_, i) => [i, [`variables.files.${i}`]]))));
  files.forEach((file, i) => body.append(i, file));
  return payload(await fetch(url, { method: "POST", headers, body }));
}

async function payload(response) {
  const { data, errors } = await response.json();
  const [result] = Object.values(data ?? {});
  const [error] = [...(errors ?? []), ...(result?.userErrors ?? [])];
  if (error) throw new Error(error.message);
  return result;
}
