/** Structured logs: a constant message, variables as fields. JSON in pods, readable on a terminal. */
import winston from 'winston';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'text';
  /** Fields of every line, such as the broker's id. */
  readonly fields?: LogFields;
}

function plainFields(info: winston.Logform.TransformableInfo): winston.Logform.TransformableInfo {
  for (const [name, value] of Object.entries(info)) {
    if (value instanceof Error) {
      info[name] = value.message;
      if (value.stack !== undefined && info.level === 'error') info.stack = value.stack;
    }
  }
  return info;
}

const text = winston.format.printf(({ timestamp, level, message, component, stack, ...fields }) => {
  const shown = Object.entries(fields)
    .map(([name, value]) => ` ${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join('');
  const at = String(timestamp).slice(11, 23);
  const who = component === undefined ? '' : ` [${component}]`;
  return `${at} ${level.toUpperCase().padEnd(5)}${who} ${message}${shown}${stack ? `\n${stack}` : ''}`;
});

export function createLogger({ level, format, fields }: LoggerOptions): Logger {
  const { combine, timestamp, json } = winston.format;
  return winston.createLogger({
    level,
    defaultMeta: fields ?? {},
    format: combine(winston.format(plainFields)(), timestamp(), format === 'json' ? json() : text),
    transports: [
      new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] }),
    ],
  }) as unknown as Logger;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
