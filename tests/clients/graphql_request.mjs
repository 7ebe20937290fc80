import { GraphQLClient } from "graphql-request";
import * as common from "./common.mjs";

// It has neither uploads nor subscriptions.
const client = new GraphQLClient(common.url, { headers: common.headers });
common.report({ query: await client.request(common.QUERY, common.QUERY_VARIABLES) });
