// graphql-yoga with the rows in memory: node yoga_list.mjs <folder with node_modules> <rows.json>
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [folder, rowsPath] = process.argv.slice(2);
const { createSchema, createYoga } = createRequire(`${folder}/package.json`)("graphql-yoga");
const rows = JSON.parse(readFileSync(rowsPath, "utf8"));

const typeDefs = `
  scalar BigInt
  scalar DateTime
  enum VideoStatus { PROBING READY REJECTED }
  type Video { id: ID! title: String! filename: String! status: VideoStatus! sizeBytes: BigInt!
    width: Int durationSeconds: Float createdAt: DateTime! }
  type VideoEdge { node: Video! cursor: String! }
  type VideoConnection { edges: [VideoEdge!]! }
  type Query { videos(first: Int = 20): VideoConnection! }`;
const resolvers = {
  Query: {
    videos: (_, { first }) => ({ edges: rows.slice(0, first).map((node) => ({ node, cursor: node.id })) }),
  },
};
const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false, graphiql: false });
const server = createServer(yoga);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
