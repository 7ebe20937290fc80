// Uploads a video of any size, by the tus protocol. If it breaks off, run it again: it goes on where it stopped.
//
//   npm install tus-js-client
//   node upload_tus.mjs http://localhost:8000 ada "correct horse" clip.mp4
import { createReadStream, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Upload } from "tus-js-client";

const [server, username, password, path] = process.argv.slice(2);

async function graphql(query, variables, token) {
  const response = await fetch(new URL("/graphql", server), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  const [payload] = Object.values(data ?? {});
  const [problem] = errors ?? payload?.userErrors ?? [];
  if (problem) throw new Error(problem.message);
  return payload;
}

const { session } = await graphql(
  `mutation ($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { message } } }`,
  { input: { username, password } },
);

const { size, mtimeMs } = statSync(path);
const { upload } = await graphql(
  `mutation ($input: CreateUploadInput!) {
    createUpload(input: $input) { upload { url } userErrors { message } }
  }`,
  {
    input: {
      filename: basename(path),
      sizeBytes: size,
      // The same file gets the same upload again, so nothing has to be remembered here.
      idempotencyKey: `${resolve(path)} ${size} ${mtimeMs}`.slice(-255),
    },
  },
  session.accessToken,
);

new Upload(createReadStream(path), {
  uploadUrl: upload.url,
  uploadSize: size,
  chunkSize: 16 * 2 ** 20,
  retryDelays: [0, 1000, 3000, 5000, 10000],
  onProgress: (sent) => console.error(`${((100 * sent) / size).toFixed(1)} %`),
  onSuccess: ({ lastResponse }) => console.log(lastResponse.getHeader("Framewise-Video")),
  onError(error) {
    console.error(error.message);
    process.exitCode = 1;
  },
}).start();
