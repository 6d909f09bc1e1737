// The bar at the top: logo, and the account or token that operations run as.

import { useGraphiQL } from "@graphiql/react";
import * as Menu from "@radix-ui/react-dropdown-menu";
import { useEffect, useSyncExternalStore } from "react";

import logo from "./atoll.svg";
import { useAccountOfTab } from "./examples.jsx";
import { Status } from "./status.jsx";
import { useEditorTheme, useWordWrap } from "./theme.js";

export function Bar({ identity, fetcher, isFirstVisit }) {
  useEditorTheme();
  useWordWrap();
  useScrollToTop();
  useAccountOfTab(identity, isFirstVisit);
  const { account, pasted } = useSyncExternalStore(identity.subscribe, identity.snapshot);
  return (
    <header className="atoll-bar">
      <h1>
        <img src={logo} alt="" /> Atoll
      </h1>
      <span className="atoll-space" />
      <Status token={account ? account.token : pasted} fetcher={fetcher} onlyIfInvalid={account !== null} />
      {account ? <Accounts account={account} identity={identity} /> : <Token pasted={pasted} identity={identity} />}
    </header>
  );
}

/** Show each plugin from its top: all of them share one pane, which keeps its scroll position. */
function useScrollToTop() {
  const plugin = useGraphiQL((state) => state.visiblePlugin);
  useEffect(() => {
    document.querySelector(".graphiql-plugin")?.scrollTo(0, 0);
  }, [plugin]);
}

function Accounts({ account, identity }) {
  return (
    // Modal menus block the page's scrolling, and this page never scrolls.
    <Menu.Root modal={false}>
      <Menu.Trigger className="atoll-button" data-menu="Run as">
        <span className="atoll-quiet">Run as</span> {account.name}
        <span className="atoll-chevron" aria-hidden="true" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="atoll-menu" align="end" sideOffset={6}>
          <Menu.RadioGroup value={account.name} onValueChange={identity.become}>
            {identity.accounts.map(({ name, about }) => (
              <Menu.RadioItem key={name} value={name} className="atoll-item atoll-account">
                <strong>{name}</strong>
                <span className="atoll-quiet">{about}</span>
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Token({ pasted, identity }) {
  return (
    <label className="atoll-token">
      <span className="atoll-quiet">Token</span>
      <input
        type="password"
        autoComplete="off"
        spellCheck="false"
        placeholder="Paste a bearer token"
        value={pasted}
        onChange={(event) => identity.paste(event.target.value)}
      />
    </label>
  );
}
