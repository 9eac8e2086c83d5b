/**
 * APIs of authentication and authorization, answered as a Kafka broker does that has none: no
 * authorizer, no SASL on the listener, no delegation tokens.
 */
import { codeOf } from '../../proto/kafka/errors.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { type Api, api } from './handler.ts';

const NO_AUTHORIZER = 'no authorizer is configured';
const NO_SASL = 'the listener has no SASL';
const NO_SCRAM = 'SCRAM credentials are not enabled on this cluster';

const disabled = codeOf('SECURITY_DISABLED');
const noSasl = codeOf('ILLEGAL_SASL_STATE');
const noTokens = codeOf('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED');

export function securityNotEnabled(): Api[] {
  return [
    api({
      ...apis.SaslHandshake,
      name: 'SaslHandshake',
      handle: () => ({ errorCode: noSasl, mechanisms: [] }),
      failed: (_request, error) => ({ errorCode: codeOf(error) }),
    }),
    api({
      ...apis.SaslAuthenticate,
      name: 'SaslAuthenticate',
      handle: () => ({ errorCode: noSasl, errorMessage: NO_SASL }),
      failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
    }),
    api({
      ...apis.DescribeAcls,
      name: 'DescribeAcls',
      handle: () => ({ errorCode: disabled, errorMessage: NO_AUTHORIZER }),
      failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
    }),
    api({
      ...apis.CreateAcls,
      name: 'CreateAcls',
      handle: ({ creations }) => ({
        results: creations.map(() => ({ errorCode: disabled, errorMessage: NO_AUTHORIZER })),
      }),
      failed: ({ creations }, error) => ({
        results: creations.map(() => ({ errorCode: codeOf(error), errorMessage: null })),
      }),
    }),
    api({
      ...apis.DeleteAcls,
      name: 'DeleteAcls',
      handle: ({ filters }) => ({
        filterResults: filters.map(() => ({ errorCode: disabled, errorMessage: NO_AUTHORIZER })),
      }),
      failed: ({ filters }, error) => ({
        filterResults: filters.map(() => ({ errorCode: codeOf(error), errorMessage: null })),
      }),
    }),
    api({
      ...apis.CreateDelegationToken,
      name: 'CreateDelegationToken',
      handle: () => ({ errorCode: noTokens, ...NO_TIMES }),
      failed: (_request, error) => ({ errorCode: codeOf(error), ...NO_TIMES }),
    }),
    api({
      ...apis.RenewDelegationToken,
      name: 'RenewDelegationToken',
      handle: () => ({ errorCode: noTokens, expiryTimestampMs: -1 }),
      failed: (_request, error) => ({ errorCode: codeOf(error), expiryTimestampMs: -1 }),
    }),
    api({
      ...apis.ExpireDelegationToken,
      name: 'ExpireDelegationToken',
      handle: () => ({ errorCode: noTokens, expiryTimestampMs: -1 }),
      failed: (_request, error) => ({ errorCode: codeOf(error), expiryTimestampMs: -1 }),
    }),
    api({
      ...apis.DescribeDelegationToken,
      name: 'DescribeDelegationToken',
      handle: () => ({ errorCode: noTokens, tokens: [] }),
      failed: (_request, error) => ({ errorCode: codeOf(error), tokens: [] }),
    }),
    api({
      ...apis.DescribeUserScramCredentials,
      name: 'DescribeUserScramCredentials',
      handle: ({ users }) => ({
        errorCode: 0,
        errorMessage: null,
        results: (users ?? []).map(({ name }) => ({
          user: name,
          errorCode: codeOf('RESOURCE_NOT_FOUND'),
          errorMessage: `there are no SCRAM credentials of user ${name}`,
        })),
      }),
      failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
    }),
    api({
      ...apis.AlterUserScramCredentials,
      name: 'AlterUserScramCredentials',
      handle: ({ deletions, upsertions }) => ({
        results: [
          ...deletions.map(({ name }) => ({
            user: name,
            errorCode: codeOf('RESOURCE_NOT_FOUND'),
            errorMessage: `there are no SCRAM credentials of user ${name}`,
          })),
          ...upsertions.map(({ name }) => ({
            user: name,
            errorCode: disabled,
            errorMessage: NO_SCRAM,
          })),
        ],
      }),
      failed: ({ deletions, upsertions }, error) => ({
        results: [...deletions, ...upsertions].map(({ name }) => ({
          user: name,
          errorCode: codeOf(error),
          errorMessage: null,
        })),
      }),
    }),
  ];
}

const NO_TIMES = { issueTimestampMs: -1, expiryTimestampMs: -1, maxTimestampMs: -1 };
