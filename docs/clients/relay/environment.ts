import {
  Environment,
  type FetchFunction,
  Network,
  Observable,
  RecordSource,
  type RequestParameters,
  Store,
  type SubscribeFunction,
  type Variables,
} from 'relay-runtime';
import type { SubscriptionClient } from '../live.js';

// graphql-ws takes no request without a query.
const createBody = ({ id, name, text }: RequestParameters, variables: Variables) =>
  ({ documentId: id ?? undefined, operationName: name, query: text ?? '', variables });

export function createEnvironment(url: string, token?: string, subscriptions?: SubscriptionClient): Environment {
  const send: FetchFunction = async (request, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(createBody(request, variables)),
    });
    return response.json();
  };
  const subscribe: SubscribeFunction = (request, variables) =>
    Observable.create((sink) => subscriptions?.subscribe(createBody(request, variables) as never, sink as never));
  return new Environment({ network: Network.create(send, subscribe), store: new Store(new RecordSource()) });
}

interface CodedError {
  extensions?: { code?: string };
}

/** Returns the codes of the errors of a mutation (`onCompleted`), or of a failed operation (`onError`). */
export function codesOf(failure: readonly object[] | Error | null | undefined): unknown[] {
  const { source } = (failure ?? {}) as { source?: { errors?: readonly CodedError[] } };
  const errors = Array.isArray(failure) ? (failure as readonly CodedError[]) : source?.errors;
  return errors?.map(({ extensions }) => extensions?.code) ?? [];
}
