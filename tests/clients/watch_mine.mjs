// node watch_mine.mjs [--connection-params JSON|none] [--fields "…"] [--retries N] [--take N]
import { readArguments, watch } from "./client.mjs";

const { values } = readArguments();
watch({ operation: "subscription WatchMine", field: "myAnalysesProgress", variables: {}, values });
