// GraphQL Code Generator: documents with types, sent by any HTTP client. The compiler has checked typed.ts before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSend, readCreationTime, readNames, registerData, registerNothing } from './typed.js';
import { post, request } from './world.mjs';

const send = (who) => createSend((body) => post(who, body));

test('variables and results have the types of the schema', async () => {
  assert.deepEqual(await readNames(send('eve')), ['align', 'blast', 'count']);
});

test('a DateTime is a string that Date reads', async () => {
  const age = Date.now() - (await readCreationTime(send('eve'), 'open'));
  assert.ok(age > 0 && age < 86_400_000, `${age} ms`);
  assert.equal(await readCreationTime(send('eve'), 'none'), undefined);
});

test('a Long is a number', async () => {
  const { viewer } = await request('ada', '{ viewer { user { id } } }');
  assert.equal(await registerData(send('ada'), viewer.user.id, Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
});

test('mistakes in the input are in userErrors', async () => {
  assert.deepEqual(await registerNothing(send('ada')), ['REQUIRED']);
});
