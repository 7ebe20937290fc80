import { type FormEvent, useId, useRef, useState, useSyncExternalStore } from "react";
import type { Session, SessionView } from "../session/session";
import mark from "./mark.svg";

/** The page's top bar: the product's name, and who is signed in or the form to do so. */
export function SignInBar({ session }: { session: Session }) {
  const view = useSyncExternalStore(session.subscribe, session.view);
  return (
    <header className="bar">
      <span className="brand">
        <img src={mark} alt="" width="26" height="26" />
        Framewise
      </span>
      <span className="tagline">Video analysis API</span>
      <Account session={session} view={view} />
    </header>
  );
}

function Account({ session, view }: { session: Session; view: SessionView }) {
  if (view.status === "restoring") return <p className="account">Signing in…</p>;
  if (view.status === "signed-out") return <SignInForm session={session} notice={view.notice} />;
  const username = view.username ?? "";
  return (
    <div className="account">
      <span className="avatar" aria-hidden="true">
        {username.slice(0, 1).toUpperCase()}
      </span>
      <span className="who">
        Signed in as <strong title={username}>{username}</strong>
      </span>
      <button type="button" className="quiet" onClick={() => void session.signOut()}>
        Sign out
      </button>
    </div>
  );
}

function SignInForm({ session, notice }: { session: Session; notice: string | null }) {
  const noticeId = useId();
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function open(how: "signIn" | "signUp") {
    if (busy || !form.current?.reportValidity()) return;
    const fields = new FormData(form.current);
    setBusy(true);
    setProblem(null);
    try {
      await session[how](String(fields.get("username")), String(fields.get("password")));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void open("signIn");
  }

  const message = problem ?? notice;
  return (
    <form ref={form} className="account" onSubmit={submit} aria-busy={busy}>
      <p id={noticeId} className="notice" role="alert" title={message ?? undefined}>
        {message}
      </p>
      <input
        name="username"
        aria-label="Username"
        placeholder="Username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        aria-describedby={noticeId}
      />
      <input
        name="password"
        type="password"
        aria-label="Password"
        placeholder="Password"
        autoComplete="current-password"
        required
        aria-describedby={noticeId}
      />
      <button type="submit" disabled={busy}>
        Sign in
      </button>
      <button type="button" className="quiet" disabled={busy} onClick={() => void open("signUp")}>
        Sign up
      </button>
    </form>
  );
}
