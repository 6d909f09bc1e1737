// The identity that operations run as: one of the offered accounts or, if there are none, a pasted token.

const ACCOUNT_KEY = "atoll:account";
const TOKEN_KEY = "atoll:token";

/** Return a store for React's useSyncExternalStore whose snapshot is `{ account, pasted }`. */
export function createIdentity(accounts) {
  const listeners = new Set();
  let state = {
    account: accounts.find(({ name }) => name === localStorage.getItem(ACCOUNT_KEY)) ?? accounts[0] ?? null,
    pasted: sessionStorage.getItem(TOKEN_KEY) ?? "",
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
    /** Switch to the account with this name; an unknown name changes nothing. */
    become(name) {
      const account = accounts.find((other) => other.name === name);
      if (account) {
        localStorage.setItem(ACCOUNT_KEY, name);
        change({ account });
      }
    },
    /** Switch to an account for this role, unless the current one is. */
    assume(role) {
      if (state.account?.role !== role) {
        this.become(accounts.find((other) => other.role === role)?.name);
      }
    },
    /** Store the token until the browser's tab is closed. */
    paste(text) {
      const pasted = text.trim().replace(/^bearer\s+/i, "");
      sessionStorage.setItem(TOKEN_KEY, pasted);
      change({ pasted });
    },
  };
}
