// Uploads a file with Uppy, and prints what came of it as a line of JSON.
//
// Arguments: file, bytes of a chunk, and the URL of an upload, or nothing, to create one with FRAMEWISE_TOKEN.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { DefaultHttpStack } from "tus-js-client";

const [path, chunkBytes, uploadUrl] = process.argv.slice(2);
const data = readFileSync(path);
data.size = data.length; // as a browser's File has it

// Uppy sets a property of the browser's XMLHttpRequest, which Node does not have.
class Stack extends DefaultHttpStack {
  createRequest(method, url) {
    const request = super.createRequest(method, url);
    const find = request.getUnderlyingObject.bind(request);
    request.getUnderlyingObject = () => find() ?? {};
    return request;
  }
}

const uppy = new Uppy({ autoProceed: false }).use(Tus, {
  endpoint: `${process.env.FRAMEWISE_URL}/uploads`,
  headers: { Authorization: `Bearer ${process.env.FRAMEWISE_TOKEN}` },
  chunkSize: Number(chunkBytes),
  httpStack: new Stack(),
  storeFingerprintForResuming: false,
  retryDelays: [100, 100, 100],
});
const id = uppy.addFile({ name: basename(path), type: "video/mp4", data });
if (uploadUrl) uppy.setFileState(id, { tus: { uploadUrl } });
const { successful, failed } = await uppy.upload();
process.stdout.write(
  `${JSON.stringify({ successful: successful.map((file) => file.uploadURL), failed: failed.map((file) => file.error) })}\n`,
);
process.exit(failed.length);
