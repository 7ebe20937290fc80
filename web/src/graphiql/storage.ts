import type { GraphiQLProps } from "graphiql";

type GraphiQLStorage = NonNullable<GraphiQLProps["storage"]>;

interface Tabs {
  activeTabIndex: number;
  tabs: { query?: string | null; variables?: string | null }[];
}

const PREFIX = "graphiql:";
const HISTORY_KEYS = [`${PREFIX}queries`, `${PREFIX}favorites`];

/**
 * Where GraphiQL keeps its tabs and history: as it does by itself, with two differences.
 *
 * The history is without headers, which may hold tokens. And what stands in the editors is that of the active tab:
 * GraphiQL stores it apart and a moment later, and after a reload in between opens one tab more for it.
 */
export function createStorage(storage: Storage): GraphiQLStorage {
  const keys = () => Object.keys(storage).filter((key) => key.startsWith(PREFIX));
  return {
    getItem(key) {
      if (key === `${PREFIX}query`) return activeTab(storage)?.query ?? null;
      if (key === `${PREFIX}variables`) return activeTab(storage)?.variables ?? null;
      return storage.getItem(key);
    },
    setItem: (key, value) => storage.setItem(key, HISTORY_KEYS.includes(key) ? withoutHeaders(value) : value),
    removeItem: (key) => storage.removeItem(key),
    clear: () => keys().forEach((key) => storage.removeItem(key)),
    get length() {
      return keys().length;
    },
  };
}

function activeTab(storage: Storage): Tabs["tabs"][number] | undefined {
  const { tabs, activeTabIndex } = JSON.parse(storage.getItem(`${PREFIX}tabState`) ?? '{"tabs":[]}') as Tabs;
  return tabs[activeTabIndex];
}

function withoutHeaders(history: string): string {
  return JSON.stringify(JSON.parse(history, (name, value: unknown) => (name === "headers" ? undefined : value)));
}
