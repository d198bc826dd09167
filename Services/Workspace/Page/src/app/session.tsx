// Who is signed in. The token is given once and is never kept: the browser has a cookie that no script can read.
import { FormEvent, ReactNode, createContext, useCallback, useContext, useEffect, useRef, useState } from "react";
import { ApiError, call, onSignedIn, onSignedOut, setCSRFToken } from "../api/client";
import { connection } from "../api/connection";
import { beATab } from "../drafts/tabs";
import { type Unsaved, saveAll } from "../drafts/unsaved";
import type { Session } from "../api/generated/contract";
import { live } from "../api/live";
import { forgetAll } from "../api/query";
import { Button, Dialog, Field, Note } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { brandIcon } from "./brand";

/** How long after an answer that was none, in milliseconds, it is asked again who is here. */
const retryAfter = 2000;

const Context = createContext<{ session: Session; signOut: () => void } | null>(null);

/** The session; only below `SignedIn`. */
export function useSession(): { session: Session; signOut: () => void } {
  const value = useContext(Context);
  if (!value) throw new Error("outside of the session");
  return value;
}

export function SignedIn({ children }: { children: ReactNode }) {
  const [state, setState] = useState<Session | "unknown" | "none" | "ended" | "unreachable">("unknown");
  /** How often somebody has come or gone: what was asked before says nothing about who is here. */
  const turn = useRef(0);
  const [unsaved, setUnsaved] = useState<Unsaved[]>();

  const take = useCallback((session: Session) => {
    turn.current += 1;
    setCSRFToken(session.csrf_token);
    setState(session);
  }, []);

  useEffect(() => {
    let again = 0;
    const look = () => {
      clearTimeout(again);
      const asked = turn.current;
      call("getSession").then((session) => { if (turn.current === asked) take(session); }, (error: unknown) => {
        if (turn.current !== asked) return;
        if (error instanceof ApiError && error.status === 401) setState((before) => typeof before === "object" ? "ended" : "none");
        else {
          // Who is signed in stays so: the page with all that is under way in it waits for the connection.
          setState((before) => (typeof before === "object" ? before : "unreachable"));
          // A server that is reached and cannot answer yet is no news of the connection later.
          if (asked === 0) again = window.setTimeout(look, retryAfter);
        }
      });
    };
    look();
    beATab();
    onSignedOut(() => { turn.current += 1; setState((before) => typeof before === "object" ? "ended" : "none"); });
    onSignedIn((session) => { forgetAll(); take(session); });
    live.onTooMany = () => toast("Too many pages are open to be live. Close some, and this one goes on.", "bad");
    const stop = connection.subscribe(() => { if (connection.isOnline) look(); });
    return () => { clearTimeout(again); stop(); };
  }, [take]);

  const end = useCallback(() => {
    setUnsaved(undefined);
    call("deleteSession").catch((error: unknown) => { if (!(error instanceof ApiError && error.status === 401)) throw error; })
      .then(() => { turn.current += 1; forgetAll(); setCSRFToken(""); setState("none"); }, toastError);
  }, []);
  /** First all is saved; what cannot be is asked about. */
  const signOut = useCallback(() => {
    void saveAll().then((left) => { if (left.length === 0) end(); else setUnsaved(left); });
  }, [end]);

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
  if (state === "none" || state === "ended") return <SignIn hasEnded={state === "ended"} onSession={take} />;
  return (
    <Context.Provider value={{ session: state, signOut }}>
      {children}
      {unsaved && <NotSaved unsaved={unsaved} onStay={() => setUnsaved(undefined)} onEnd={end} />}
    </Context.Provider>
  );
}

/** Asks what is to become of what could not be saved before its user signs out. */
function NotSaved({ unsaved, onStay, onEnd }: { unsaved: Unsaved[]; onStay: () => void; onEnd: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const names = unsaved.map((one) => one.name).join(", ");
  const save = () => {
    setBusy(true);
    void saveAll(true).then((left) => { if (left.length === 0) onEnd(); else setBusy(false); });
  };
  const leave = () => {
    for (const one of unsaved) one.keep();
    onEnd();
  };
  return (
    <Dialog title="Not everything is saved" onClose={onStay} foot={<>
      <Button onClick={onStay}>Stay</Button>
      <Button onClick={leave}>Keep it in this browser and sign out</Button>
      <Button tone="primary" isBusy={isBusy} onClick={save}>Save and sign out</Button>
    </>}>
      <div className="dialog-body"><p>What you typed in {names} is not saved. This browser can keep it for you: it is there again when you sign in here and
        open it.</p></div>
    </Dialog>
  );
}

function Brand() {
  return <div className="brand"><img src={brandIcon} alt="" />DataHarbour</div>;
}

/** Which of the two ways was taken last, so that it is offered first. It is no secret. */
const wayKey = "harbour-sign-in";
type Way = "token" | "password";

function SignIn({ hasEnded, onSession }: { hasEnded: boolean; onSession: (session: Session) => void }) {
  const [way, setWay] = useState<Way>(() => (localStorage.getItem(wayKey) === "password" ? "password" : "token"));
  const [token, setToken] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  useEffect(() => { document.title = "Sign in · DataHarbour"; }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (way === "token" ? !token.trim() : !name.trim() || !password) {
      setProblem(way === "token" ? "Paste the token first." : "Give your name and your password.");
      return;
    }
    setBusy(true);
    call("createSession", { body: way === "token" ? { token: token.trim() } : { user_name: name.trim(), password } }).then((session) => {
      localStorage.setItem(wayKey, way);
      forgetAll();
      onSession(session);
    }, (error: unknown) => {
      setBusy(false);
      setProblem(error instanceof Error ? error.message : String(error));
    });
  };
  const turn = () => { setWay(way === "token" ? "password" : "token"); setProblem(undefined); };
  const wrong = { "aria-invalid": problem !== undefined };

  return (
    <div className="sign-in">
      <main className="sign-in-card">
        <Brand />
        <h1 className="visually-hidden">Sign in</h1>
        {hasEnded && <Note tone="warn">Your session has ended. What you typed and was not saved is kept in this browser, and is there again when you sign in.</Note>}
        <p className="soft">Notebooks, Spark clusters and jobs, on a machine of yours.</p>
        <form className="stack" onSubmit={submit} noValidate>
          {way === "token" ? (
            <Field key="token" label="Sign-in token" problem={problem}
              hint={<>Printed by <code>deploy/up</code> and <code>harbour up</code>, or one of your own.</>}>
              {(id, described) => (
                <input id={id} className="input mono" type="password" autoComplete="current-password" autoFocus spellCheck={false}
                  value={token} aria-describedby={described} {...wrong}
                  onChange={(event) => { setToken(event.target.value); setProblem(undefined); }} />
              )}
            </Field>
          ) : (
            <>
              <Field key="name" label="Name">
                {(id) => <input id={id} className="input" autoComplete="username" autoFocus autoCapitalize="none" spellCheck={false} value={name} {...wrong}
                  onChange={(event) => { setName(event.target.value); setProblem(undefined); }} />}
              </Field>
              <Field key="password" label="Password" problem={problem}>
                {(id, described) => <input id={id} className="input" type="password" autoComplete="current-password" value={password} aria-describedby={described} {...wrong}
                  onChange={(event) => { setPassword(event.target.value); setProblem(undefined); }} />}
              </Field>
            </>
          )}
          <Button type="submit" tone="primary" isBusy={isBusy}>Sign in</Button>
          <Button tone="quiet" onClick={turn}>{way === "token" ? "Sign in with a name and a password" : "Sign in with a token"}</Button>
        </form>
      </main>
    </div>
  );
}
