// Who is signed in. The token is given once and is never kept: the browser has a cookie that no script can read.
import { FormEvent, ReactNode, createContext, useCallback, useContext, useEffect, useState } from "react";
import { ApiError, call, onSignedOut, setCSRFToken } from "../api/client";
import { connection } from "../api/connection";
import type { Session } from "../api/generated/contract";
import { forgetAll } from "../api/query";
import { Button, Field, Note } from "../ui/parts";
import { brandIcon } from "./brand";

const Context = createContext<{ session: Session; signOut: () => void } | null>(null);

/** The session; only below `SignedIn`. */
export function useSession(): { session: Session; signOut: () => void } {
  const value = useContext(Context);
  if (!value) throw new Error("outside of the session");
  return value;
}

export function SignedIn({ children }: { children: ReactNode }) {
  const [state, setState] = useState<Session | "unknown" | "none" | "unreachable">("unknown");

  const take = useCallback((session: Session) => {
    setCSRFToken(session.csrf_token);
    setState(session);
  }, []);

  useEffect(() => {
    const look = () => {
      call("getSession").then(take, (error: unknown) => {
        setState(error instanceof ApiError && error.status === 401 ? "none" : "unreachable");
      });
    };
    look();
    onSignedOut(() => setState("none"));
    return connection.subscribe(() => { if (connection.isOnline) look(); });
  }, [take]);

  const signOut = useCallback(() => {
    call("deleteSession").finally(() => { forgetAll(); setCSRFToken(""); setState("none"); });
  }, []);

  if (state === "unknown") return <div className="sign-in"><span className="spinner" role="status" aria-label="Loading" /></div>;
  if (state === "unreachable") {
    return (
      <div className="sign-in">
        <main className="sign-in-card">
          <Brand /><Note tone="warn">DataHarbour cannot be reached. This page goes on by itself when it can.</Note>
        </main>
      </div>
    );
  }
  if (state === "none") return <SignIn onSession={take} />;
  return <Context.Provider value={{ session: state, signOut }}>{children}</Context.Provider>;
}

function Brand() {
  return <div className="brand"><img src={brandIcon} alt="" />DataHarbour</div>;
}

function SignIn({ onSession }: { onSession: (session: Session) => void }) {
  const [token, setToken] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  useEffect(() => { document.title = "Sign in · DataHarbour"; }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!token.trim()) { setProblem("Paste the token first."); return; }
    setBusy(true);
    call("createSession", { body: { token: token.trim() } }).then((session) => {
      forgetAll();
      onSession(session);
    }, (error: unknown) => {
      setBusy(false);
      setProblem(error instanceof Error ? error.message : String(error));
    });
  };

  return (
    <div className="sign-in">
      <main className="sign-in-card">
        <Brand />
        <h1 className="visually-hidden">Sign in</h1>
        <p className="soft">Notebooks, Spark clusters and jobs, on a machine of yours.</p>
        <form className="stack" onSubmit={submit} noValidate>
          <Field label="Sign-in token" problem={problem}
            hint={<>Printed by <code>deploy/up</code> and <code>harbour up</code>.</>}>
            {(id, described) => (
              <input id={id} className="input mono" type="password" autoComplete="current-password" autoFocus spellCheck={false}
                value={token} aria-describedby={described} aria-invalid={problem !== undefined}
                onChange={(event) => { setToken(event.target.value); setProblem(undefined); }} />
            )}
          </Field>
          <Button type="submit" tone="primary" isBusy={isBusy}>Sign in</Button>
        </form>
      </main>
    </div>
  );
}
