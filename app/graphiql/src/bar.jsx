// The bar at the top: logo, menu of worked examples, and the account or token that operations run as.

import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import * as Menu from "@radix-ui/react-dropdown-menu";
import { useEffect, useRef, useSyncExternalStore } from "react";

import logo from "./atoll.svg";
import { headingOf, textOf } from "./examples.js";
import { useEditorTheme } from "./theme.js";

export function Bar({ groups, opened, open, identity }) {
  useEditorTheme();
  useAccountOfTab(opened, identity);
  useTabInView();
  const show = useShow(opened, open);
  return (
    <header className="atoll-bar">
      <h1>
        <img src={logo} alt="" /> Atoll
      </h1>
      {groups.length > 0 && <Examples groups={groups} opened={opened} show={show} />}
      <span className="atoll-space" />
      {identity.accounts.length > 0 ? <Accounts identity={identity} /> : <Token identity={identity} />}
    </header>
  );
}

/** Switch to the account that a tab names whenever the tab is selected. */
function useAccountOfTab(opened, identity) {
  const { tabs, activeTabIndex } = useGraphiQL(pick("tabs", "activeTabIndex"));
  const tab = tabs[activeTabIndex];
  // After a reload, the account that was chosen last stays, even if the tab names another.
  const seen = useRef(opened.isNew ? null : tab?.id);
  useEffect(() => {
    if (tab && tab.id !== seen.current) {
      seen.current = tab.id;
      identity.become(headingOf(tab.query).account);
    }
  }, [tab, identity]);
}

/** Scroll the selected tab into view: a set has more tabs than fit. */
function useTabInView() {
  const { tabs, activeTabIndex } = useGraphiQL(pick("tabs", "activeTabIndex"));
  useEffect(() => {
    const tab = document.getElementById(`graphiql-session-tab-${activeTabIndex}`);
    tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [tabs.length, activeTabIndex]);
}

/** Return a function that selects the tab of an example, or opens the group's tabs if no title is given. */
function useShow(opened, open) {
  const { tabs, queryEditor, variableEditor } = useGraphiQL(pick("tabs", "queryEditor", "variableEditor"));
  const { addTab, changeTab } = useGraphiQLActions();
  return (group, title) => {
    if (group.name !== opened.name) {
      open(group, title);
      return;
    }
    const example = group.tabs.find((other) => other.title === title) ?? group.tabs[0];
    const index = tabs.findIndex((tab) => headingOf(tab.query).title === example.title);
    if (index >= 0) {
      changeTab(index);
      return;
    }
    addTab();
    queryEditor.setValue(textOf(example));
    variableEditor.setValue(example.variables);
  };
}

function Examples({ groups, opened, show }) {
  const current = groups.find(({ name }) => name === opened.name);
  return (
    <DropDown name="Examples" chosen={current?.label} align="start">
      {groups.map((group) => (
        <Menu.Group key={group.name}>
          <Menu.Item className="atoll-group" onSelect={() => show(group)}>
            {group.label}
          </Menu.Item>
          {group.tabs.map(({ title }) => (
            <Menu.Item key={title} className="atoll-item" onSelect={() => show(group, title)}>
              {title}
            </Menu.Item>
          ))}
        </Menu.Group>
      ))}
    </DropDown>
  );
}

function Accounts({ identity }) {
  const { account } = useSyncExternalStore(identity.subscribe, identity.snapshot);
  return (
    <DropDown name="Run as" chosen={account.name} about={account.about} align="end">
      <Menu.RadioGroup value={account.name} onValueChange={identity.become}>
        {identity.accounts.map(({ name, about }) => (
          <Menu.RadioItem key={name} value={name} className="atoll-item atoll-account">
            <strong>{name}</strong>
            <span className="atoll-quiet">{about}</span>
          </Menu.RadioItem>
        ))}
      </Menu.RadioGroup>
    </DropDown>
  );
}

function Token({ identity }) {
  const { pasted } = useSyncExternalStore(identity.subscribe, identity.snapshot);
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

function DropDown({ name, chosen, about, align, children }) {
  return (
    // Modal menus block the page's scrolling, and this page never scrolls.
    <Menu.Root modal={false}>
      <Menu.Trigger className="atoll-button" data-menu={name}>
        <span className="atoll-quiet">{name}</span> {chosen}
        {about && <span className="atoll-quiet atoll-about">{about}</span>}
        <span className="atoll-chevron" aria-hidden="true" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="atoll-menu" align={align} sideOffset={6}>
          {children}
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}
