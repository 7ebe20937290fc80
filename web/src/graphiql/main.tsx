import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";

import { GraphiQL } from "graphiql";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Session } from "../session/session";
import { EXAMPLES } from "./examples";
import { createFetcher } from "./fetcher";
import { FollowSystemTheme } from "./FollowSystemTheme";
import { SignInBar } from "./SignInBar";
import { createStorage } from "./storage";

const session = new Session({
  fetch: window.fetch.bind(window),
  storage: window.sessionStorage,
  channel: new BroadcastChannel("framewise.session"),
});
void session.restore();
const fetcher = createFetcher(session);
const storage = createStorage(window.localStorage);

const root = document.getElementById("root");
if (!root) throw new Error("The page has no #root.");
createRoot(root).render(
  <StrictMode>
    <SignInBar session={session} />
    <main>
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        defaultTabs={EXAMPLES}
        defaultEditorToolsVisibility="variables"
        shouldPersistHeaders={false}
        inputValueDeprecation
        schemaDescription
      >
        <FollowSystemTheme />
      </GraphiQL>
    </main>
  </StrictMode>,
);
