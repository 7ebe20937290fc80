import { parseArgs } from "node:util";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const OPTIONS = {
  // The payload of connection_init as JSON; without it, the token of the environment; "none" sends no payload.
  "connection-params": { type: "string" },
  // Ask for other fields of the progress: a selection set without its braces.
  fields: { type: "string" },
  // Reconnect so many times when the socket drops.
  retries: { type: "string", default: "0" },
  // Stop by unsubscribing after so many events.
  take: { type: "string" },
};

const FIELDS = `analysisId status progress framesDone framesTotal etaSeconds framesPerSecond errorMessage
  counts { label detections tracks }`;

/** The command line of a watcher: its positional arguments and options. */
export function readArguments() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

/**
 * Subscribe to one field with the graphql-ws client and print each thing that happens as a line of JSON:
 * {"event": "connected"} · {"event": "next", "data", "errors"?} · {"event": "complete"} ·
 * {"event": "error", "errors"} · {"event": "closed", "code", "reason"}.
 *
 * `onData` gets what each event brings. The client reads `variables` again whenever it reconnects, so a change made
 * there says where to go on.
 *
 * FRAMEWISE_URL is the server's address, FRAMEWISE_TOKEN an access token. Exits 0 after completion (or after
 * --take events), 1 after an error.
 */
export function watch({ operation, field, variables, values, onData = () => {} }) {
  const address = new URL("/graphql", process.env.FRAMEWISE_URL);
  address.protocol = address.protocol.replace("http", "ws");
  const client = createClient({
    url: address.href,
    webSocketImpl: WebSocket,
    connectionParams: connectionParams(values["connection-params"]),
    retryAttempts: Number(values.retries),
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    on: {
      connected: () => print({ event: "connected" }),
      closed: ({ code, reason }) => print({ event: "closed", code, reason: String(reason) }),
    },
  });
  let left = values.take === undefined ? Infinity : Number(values.take);
  const unsubscribe = client.subscribe(
    { query: `${operation} { ${field} { ${values.fields ?? FIELDS} } }`, variables },
    {
      next: ({ data, errors }) => {
        const news = data?.[field.split("(")[0]] ?? null;
        if (news) onData(news);
        print({ event: "next", data: news, ...(errors && { errors }) });
        left -= 1;
        if (left === 0) unsubscribe();
      },
      error: (error) => {
        process.exitCode = 1;
        if (Array.isArray(error)) print({ event: "error", errors: error });
        else if (error.code === undefined) print({ event: "error", errors: [{ message: error.message }] });
        // Anything else is a close, which was printed when it happened.
      },
      complete: () => print({ event: "complete" }),
    },
  );
}

function connectionParams(given) {
  if (given === "none") return undefined;
  if (given !== undefined) return JSON.parse(given);
  const token = process.env.FRAMEWISE_TOKEN;
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
