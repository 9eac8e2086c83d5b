/** A certificate names one broker of one cluster, or none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { brokerNamedBy, brokerUri } from './broker-identity.ts';

const of = { namespace: 'shop', cluster: 'orders' };

test('what is written for a broker is read as that broker, and as none of another cluster', () => {
  fc.assert(
    fc.property(fc.nat(999_999_999), (id) => {
      const names = `DNS:localhost, URI:${brokerUri(of, id)}`;
      assert.equal(brokerNamedBy(names, of), id);
      assert.equal(brokerNamedBy(names, { ...of, cluster: 'other' }), null);
      assert.equal(brokerNamedBy(names, { ...of, namespace: 'other' }), null);
    }),
  );
});

test('a name that is nearly one is none, and so are two', () => {
  const uri = brokerUri(of, 1);
  const wrong = [
    undefined,
    '',
    'DNS:localhost',
    `DNS:${uri}`,
    `URI:${uri}0x`,
    'URI:tenure://shop/orders/broker/01',
    'URI:tenure://shop/orders/broker/-1',
    'URI:tenure://shop/orders/broker/',
    'URI:tenure://shop/orders/broker/1/broker/1',
    'URI:tenure://shop/x/../orders/broker/1',
    'URI:tenure://shop/orders/user/1',
    `URI:"${uri}"`,
    `URI:${uri}, URI:${brokerUri(of, 2)}`,
  ];
  for (const names of wrong) assert.equal(brokerNamedBy(names, of), null, names);
});
