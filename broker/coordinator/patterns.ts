/**
 * Patterns that clients send: RE2 syntax, as in Kafka, so that no pattern can take more than
 * linear time.
 */
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { KafkaError } from '../../proto/kafka/errors.ts';

/**
 * A test for whole names.
 * @throws KafkaError INVALID_REGULAR_EXPRESSION
 */
export function compilePattern(pattern: string): (name: string) => boolean {
  try {
    const compiled = RE2JS.compile(pattern);
    return (name) => compiled.matches(name);
  } catch (cause) {
    if (!(cause instanceof RE2JSSyntaxException)) throw cause;
    throw new KafkaError('INVALID_REGULAR_EXPRESSION', cause.message);
  }
}
