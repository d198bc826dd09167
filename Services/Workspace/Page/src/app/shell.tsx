// What is around every page: the way to the others, the notice of a lost connection, and notices of what happened.
import { ReactNode, useLayoutEffect, useSyncExternalStore } from "react";
import { connection } from "../api/connection";
import { Uploads } from "../files/panel";
import { SearchDialog } from "../search/dialog";
import { listenForKeys, opened, searchKeys } from "../search/opened";
import { Icon, IconName } from "../ui/icons";
import { useFocusOfPage } from "../ui/focus";
import { Button } from "../ui/parts";
import { Toasts } from "../ui/toast";
import { brandIcon } from "./brand";
import { Link, useAddress } from "./router";
import { useSession } from "./session";
import { useTheme } from "./theme";

const areas: Array<{ to: string; text: string; icon: IconName; also?: string[] }> = [
  { to: "/", text: "Home", icon: "home" },
  { to: "/workspace", text: "Workspace", icon: "folder", also: ["/notebooks", "/trash"] },
  { to: "/sql", text: "SQL", icon: "table" },
  { to: "/clusters", text: "Clusters", icon: "cluster" },
  { to: "/jobs", text: "Jobs", icon: "jobs" },
  { to: "/runs", text: "Runs", icon: "runs" },
  { to: "/monitoring", text: "Monitoring", icon: "monitor" },
];

function isIn(path: string, area: { to: string; also?: string[] }): boolean {
  if (area.to === "/") return path === "/";
  return [area.to, ...area.also ?? []].some((start) => path === start || path.startsWith(`${start}/`));
}

export function Shell({ children }: { children: ReactNode }) {
  const { path } = useAddress();
  const { session, signOut } = useSession();
  const [theme, setTheme] = useTheme();
  useFocusOfPage(path);
  return (
    <div className="shell">
      <a className="skip" href="#content">Skip to the content</a>
      <nav className="rail" aria-label="Areas">
        <Link to="/" className="rail-brand"><img src={brandIcon} alt="" />DataHarbour</Link>
        <button type="button" className="rail-search" onClick={opened.open} aria-haspopup="dialog" aria-keyshortcuts="Control+K Meta+K">
          <Icon name="search" size={18} />Search<kbd>{searchKeys}</kbd>
        </button>
        {areas.map((area) => (
          <Link key={area.to} to={area.to} className="rail-link" aria-current={isIn(path, area) ? "page" : undefined}>
            <Icon name={area.icon} size={18} />{area.text}
          </Link>
        ))}
        <div className="rail-foot">
          <span className="rail-user truncate" title="Signed in as">{session.user_name}</span>
          <Link to="/docs" className="rail-button wide-only" aria-label="API" title="API" aria-current={/^\/docs(\/|$)/.test(path) ? "page" : undefined}><Icon name="code" /></Link>
          <Link to="/settings" className="rail-button" aria-label="Settings" title="Settings" aria-current={path === "/settings" ? "page" : undefined}><Icon name="settings" /></Link>
          <button type="button" className="rail-button" onClick={() => setTheme(theme === "dark" ? "light" : "dark")}
            aria-label={theme === "dark" ? "Light colours" : "Dark colours"} title={theme === "dark" ? "Light colours" : "Dark colours"}>
            <Icon name={theme === "dark" ? "sun" : "moon"} />
          </button>
          <button type="button" className="rail-button" onClick={signOut} aria-label="Sign out" title="Sign out"><Icon name="out" /></button>
        </div>
      </nav>
      <main className="shell-main" id="content" tabIndex={-1}>
        <Offline />
        {children}
      </main>
      <SearchOver />
      <Uploads />
      <Toasts />
    </div>
  );
}

/** The search over the page. It is there from the beginning: what is typed right after its keys is meant for it. */
function SearchOver() {
  // Before the page is painted: who sees it may press the keys.
  useLayoutEffect(listenForKeys, []);
  const isOpen = useSyncExternalStore(opened.subscribe, () => opened.isOpen);
  return isOpen ? <SearchDialog /> : null;
}

function Offline() {
  const isOnline = useSyncExternalStore(connection.subscribe, () => connection.isOnline);
  if (isOnline) return null;
  return (
    <div className="banner" role="status">
      <span className="spinner" />
      <span>DataHarbour cannot be reached. Everything goes on by itself when it can; nothing you wrote is lost.</span>
      <Button isSmall onClick={() => { void connection.probe(); }}>Try now</Button>
    </div>
  );
}
