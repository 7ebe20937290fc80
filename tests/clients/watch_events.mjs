// node watch_events.mjs AFTER [--connection-params JSON|none] [--fields "…"] [--retries N] [--take N]
import { readArguments, watch } from "./client.mjs";

const { positionals, values } = readArguments();
const variables = { after: positionals[0] };
watch({
  operation: "subscription WatchEvents($after: String)",
  field: "events(after: $after)",
  variables,
  values: { fields: "cursor kind", ...values },
  onData: ({ cursor }) => {
    variables.after = cursor;
  },
});
