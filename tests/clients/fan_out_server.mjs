// Node's side of `benchmarks.fan_out`: `graphql-ws` and `ws`, each event pushed to every subscription.
// Prints a line of JSON when it listens; each message to /emit makes one event.
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const schema = buildSchema(`
  type Query { nothing: Int }
  type LabelCount { label: String! detections: Int! tracks: Int! }
  type AnalysisProgress {
    status: String! progress: Float! framesDone: Int! framesTotal: Int! etaSeconds: Float framesPerSecond: Float
    errorMessage: String counts: [LabelCount!]!
  }
  type Subscription { analysisProgress(id: ID!): AnalysisProgress! }
`);

const counts = [
  { label: "car", detections: 812, tracks: 14 },
  { label: "person", detections: 2048, tracks: 31 },
];
const state = () => ({
  status: "RUNNING", progress: 42.5, framesDone: 425, framesTotal: 1000, etaSeconds: 12.5, framesPerSecond: 98.7,
  errorMessage: String(process.hrtime.bigint()), counts,
});

const listeners = new Set();

class Events {
  constructor() {
    this.waiting = null;
    this.queue = [{ analysisProgress: state() }];
    listeners.add(this);
  }
  push(value) {
    if (this.waiting === null) this.queue.push(value);
    else {
      const resolve = this.waiting;
      this.waiting = null;
      resolve({ value, done: false });
    }
  }
  next() {
    if (this.queue.length > 0) return Promise.resolve({ value: this.queue.shift(), done: false });
    return new Promise((resolve) => (this.waiting = resolve));
  }
  return() {
    listeners.delete(this);
    return Promise.resolve({ value: undefined, done: true });
  }
  [Symbol.asyncIterator]() {
    return this;
  }
}

const http = createServer();
const sockets = new WebSocketServer({ noServer: true });
const emitters = new WebSocketServer({ noServer: true });
useServer({ schema, roots: { subscription: { analysisProgress: () => new Events() } } }, sockets, 0);
emitters.on("connection", (socket) =>
  socket.on("message", () => {
    const value = { analysisProgress: state() };
    for (const listener of listeners) listener.push(value);
  }),
);
http.on("upgrade", (request, socket, head) => {
  const server = request.url === "/emit" ? emitters : sockets;
  server.handleUpgrade(request, socket, head, (opened) => server.emit("connection", opened, request));
});
http.listen(0, "127.0.0.1", 4096, () =>
  process.stdout.write(`${JSON.stringify({ port: http.address().port, token: "", id: "x" })}\n`),
);
