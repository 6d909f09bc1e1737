// Panel of the worked examples, and the tab that shows one.

import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef } from "react";

import { fillIn } from "./candidates.js";

/** Return the plugin for GraphiQL's sidebar. */
export function createExamplesPlugin(examples, identity, fetcher) {
  const groups = [...new Set(examples.map(({ group }) => group))];
  // The newest example, as it was opened: a tab that still has its texts may show another example instead.
  const opened = { query: examples[0]?.query, variables: "" };
  return {
    title: "Examples",
    icon: ExamplesIcon,
    content: () => <Examples examples={examples} groups={groups} opened={opened} identity={identity} fetcher={fetcher} />,
  };
}

function Examples({ examples, groups, opened, identity, fetcher }) {
  const active = useGraphiQL(({ tabs, activeTabIndex }) => titleOf(tabs[activeTabIndex]));
  const show = useShow(opened);
  const open = async (example) => {
    identity.assume(example.role);
    opened.example = example;
    const { data } = example.candidates ? await fetcher({ query: example.candidates }) : {};
    if (opened.example === example) {
      show(example.title, fillIn(example, data ?? {}));
    }
  };
  return (
    <section className="atoll-examples" aria-label="Examples">
      <h2>Examples</h2>
      <p className="atoll-quiet">An example opens with objects that you can see. Nothing runs until you run it.</p>
      {groups.map((group) => (
        <section key={group}>
          <h3>{group}</h3>
          <ul>
            {examples
              .filter((example) => example.group === group)
              .map((example) => (
                <li key={example.title}>
                  <button type="button" aria-current={example.title === active} onClick={() => open(example)}>
                    {example.title}
                    <span className="atoll-quiet">{example.role}</span>
                  </button>
                </li>
              ))}
          </ul>
        </section>
      ))}
    </section>
  );
}

/**
 * Return a function that shows an example. The tab with this title is selected if it was edited. Otherwise, the
 * example replaces an unedited example in the selected tab, or opens a new tab.
 */
function useShow(opened) {
  const { tabs, activeTabIndex, queryEditor, variableEditor, responseEditor } = useGraphiQL(
    pick("tabs", "activeTabIndex", "queryEditor", "variableEditor", "responseEditor"),
  );
  const { addTab, changeTab } = useGraphiQLActions();
  return (title, { query, variables }) => {
    const isUnedited = queryEditor.getValue() === opened.query && variableEditor.getValue() === opened.variables;
    const index = tabs.findIndex((tab) => titleOf(tab) === title);
    if (index >= 0 && !(isUnedited && index === activeTabIndex)) {
      changeTab(index);
      return;
    }
    if (!isUnedited) {
      addTab();
    }
    Object.assign(opened, { query, variables });
    queryEditor.setValue(query);
    variableEditor.setValue(variables);
    responseEditor.setValue("");
  };
}

/** Switch to the account for an example whenever its tab is selected; on the first visit, at once. */
export function useAccountOfTab(identity, isFirstVisit) {
  const tab = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]);
  // After a reload, the account that was chosen last stays, even if the tab is for another.
  const seen = useRef(isFirstVisit ? null : tab.id);
  useEffect(() => {
    if (tab.id !== seen.current) {
      seen.current = tab.id;
      identity.assume(/^# for: (\w+)$/m.exec(tab.query ?? "")?.[1]);
    }
  }, [tab, identity]);
}

function titleOf(tab) {
  return /^# *(.+)/.exec(tab?.query ?? "")?.[1];
}

function ExamplesIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" aria-hidden="true">
      <path d="M9 6h11M9 12h11M9 18h11M4 5l1.5 1L4 7M4 11l1.5 1L4 13M4 17l1.5 1L4 19" strokeLinejoin="round" />
    </svg>
  );
}
