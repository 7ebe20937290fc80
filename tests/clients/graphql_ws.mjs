import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as common from "./common.mjs";

// It has no uploads; queries run over the socket too.
const client = createClient({
  url: common.socketUrl,
  connectionParams: common.headers,
  webSocketImpl: WebSocket,
});

async function first(payload) {
  for await (const { data, errors } of client.iterate(payload)) {
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
}

const query = await first({ query: common.QUERY, variables: common.QUERY_VARIABLES });
const event = await first({ query: common.SUBSCRIPTION, variables: common.SUBSCRIPTION_VARIABLES });
common.report({ query, event });
await client.dispose();
