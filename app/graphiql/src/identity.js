// This file is who asks: one of the accounts on offer or, where there are none, the bearer of a pasted token.

const CHOSEN = "atoll:account";
const PASTED = "atoll:token";

/** Return a store for React's useSyncExternalStore whose snapshot is `{ account, pasted }`. */
export function createIdentity(accounts) {
  const listeners = new Set();
  let state = {
    account: accounts.find(({ name }) => name === localStorage.getItem(CHOSEN)) ?? accounts[0] ?? null,
    pasted: sessionStorage.getItem(PASTED) ?? "",
  };

  function change(part) {
    state = { ...state, ...part };
    listeners.forEach((listener) => listener());
  }

  return {
    accounts,
    snapshot: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    token: () => (accounts.length > 0 ? state.account.token : state.pasted),
    /** Become the account of that name; a name that is not on offer changes nothing. */
    become(name) {
      const account = accounts.find((other) => other.name === name);
      if (account) {
        localStorage.setItem(CHOSEN, name);
        change({ account });
      }
    },
    /** Keep the token until the browser's tab is closed, and no longer. */
    paste(text) {
      const pasted = text.trim().replace(/^bearer\s+/i, "");
      sessionStorage.setItem(PASTED, pasted);
      change({ pasted });
    },
  };
}
