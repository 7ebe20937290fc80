// A server of graphql-transport-ws made of `graphql-ws` and `ws`: what ours is compared with.
// Prints {"port": …} and serves until it is killed.
import { createServer } from "node:http";
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const int = new GraphQLNonNull(GraphQLInt);
const count = (subscribe) => ({ type: int, subscribe, resolve: (value) => value });
const never = () => new Promise(() => {});

async function* two() {
  yield 1;
  yield 2;
}
async function* endless() {
  yield 0;
  await never();
}
async function* breaks() {
  yield 1;
  throw new Error("boom");
}

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: "Query",
    fields: {
      hello: {
        type: new GraphQLNonNull(GraphQLString),
        args: { name: { type: GraphQLString, defaultValue: "you" } },
        resolve: (_source, { name }) => `hello ${name}`,
      },
      fails: {
        type: GraphQLString,
        resolve: () => {
          throw new Error("boom");
        },
      },
    },
  }),
  mutation: new GraphQLObjectType({
    name: "Mutation",
    fields: { double: { type: int, args: { number: { type: int } }, resolve: (_source, { number }) => 2 * number } },
  }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: { two: count(two), endless: count(endless), breaks: count(breaks) },
  }),
});

const http = createServer();
const sockets = new WebSocketServer({ server: http, path: "/graphql" });
const onConnect = async ({ connectionParams }) => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return connectionParams?.token !== "bad";
};
useServer({ schema, onConnect, connectionInitWaitTimeout: Number(process.argv[2] ?? 3000) }, sockets);
console.error = () => {};
http.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: http.address().port })}\n`));
