// node watch_analysis.mjs ANALYSIS_ID [--connection-params JSON|none] [--fields "…"] [--retries N] [--take N]
import { readArguments, watch } from "./client.mjs";

const { positionals, values } = readArguments();
watch({
  operation: "subscription Watch($id: ID!)",
  field: "analysisProgress(id: $id)",
  variables: { id: positionals[0] },
  values,
});
