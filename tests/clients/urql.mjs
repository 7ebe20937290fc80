import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { filter, pipe, take, toPromise } from "wonka";
import WebSocket from "ws";
import * as common from "./common.mjs";

const sockets = createClient({
  url: common.socketUrl,
  connectionParams: common.headers,
  webSocketImpl: WebSocket,
});
const client = new Client({
  url: common.url,
  fetchOptions: { headers: common.headers },
  // urql reads server-sent events too, if a server offers them: what comes is checked to be the answer itself.
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? "" }, sink) }),
      }),
    }),
  ],
});

function data({ data: value, error }) {
  if (error) throw error;
  return value;
}

const query = data(await client.query(common.QUERY, common.QUERY_VARIABLES).toPromise());
const upload = data(await client.mutation(common.UPLOAD, { files: [await common.clip()] }).toPromise());
const event = data(
  await pipe(
    client.subscription(common.SUBSCRIPTION, common.SUBSCRIPTION_VARIABLES),
    filter((result) => result.data !== undefined || result.error !== undefined),
    take(1),
    toPromise,
  ),
);
common.report({ query, upload, event });
await sockets.dispose();
