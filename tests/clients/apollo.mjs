import { ApolloClient, ApolloLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import { firstValueFrom } from "rxjs";
import WebSocket from "ws";
import * as common from "./common.mjs";

const sockets = createClient({
  url: common.socketUrl,
  connectionParams: common.headers,
  webSocketImpl: WebSocket,
});
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(sockets),
    new UploadHttpLink({ uri: common.url, headers: { ...common.headers, "Apollo-Require-Preflight": "true" } }),
  ),
});

const { data: query } = await client.query({ query: gql(common.QUERY), variables: common.QUERY_VARIABLES });
const { data: upload } = await client.mutate({
  mutation: gql(common.UPLOAD),
  variables: { files: [await common.clip()] },
});
const { data: event } = await firstValueFrom(
  client.subscribe({ query: gql(common.SUBSCRIPTION), variables: common.SUBSCRIPTION_VARIABLES }),
);
common.report({ query, upload, event });
client.stop();
await sockets.dispose();
