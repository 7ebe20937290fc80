// Uploads a file with tus-js-client and prints what happens, a line of JSON each:
// {"event": "request", "method", "offset"} · {"event": "answer", "method", "status", "offset"} ·
// {"event": "progress", "bytes"} · {"event": "success", "url", "video"} · {"event": "error", "message"}.
//
// Arguments: file, bytes of a chunk, milliseconds to wait before each chunk, and where it goes: the URL of an upload,
// or nothing, to create one with FRAMEWISE_TOKEN at FRAMEWISE_URL.
import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import { Upload } from "tus-js-client";

const [path, chunkBytes, pauseMilliseconds, uploadUrl] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const upload = new Upload(createReadStream(path), {
  ...(uploadUrl
    ? { uploadUrl }
    : {
        endpoint: `${process.env.FRAMEWISE_URL}/uploads`,
        headers: { Authorization: `Bearer ${process.env.FRAMEWISE_TOKEN}` },
      }),
  uploadSize: statSync(path).size,
  chunkSize: Number(chunkBytes),
  metadata: { filename: basename(path), filetype: "video/mp4" },
  retryDelays: Array(200).fill(100),
  storeFingerprintForResuming: false,
  async onBeforeRequest(request) {
    print({ event: "request", method: request.getMethod(), offset: request.getHeader("Upload-Offset") });
    await new Promise((resolve) => setTimeout(resolve, Number(pauseMilliseconds)));
  },
  onAfterResponse(request, response) {
    print({
      event: "answer",
      method: request.getMethod(),
      status: response.getStatus(),
      offset: response.getHeader("Upload-Offset"),
    });
  },
  onProgress: (bytes) => print({ event: "progress", bytes }),
  onSuccess: ({ lastResponse }) =>
    print({ event: "success", url: upload.url, video: lastResponse?.getHeader("Framewise-Video") }),
  onError(error) {
    process.exitCode = 1;
    print({ event: "error", message: String(error) });
  },
});
upload.start();
