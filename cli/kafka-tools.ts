/** Kafka's own command lines: the same names, the same flags. */
import { Command, CommanderError, Option } from 'commander';
import { AdminClient, parseBootstrap } from '../client/admin.ts';
import { ConnectionLost } from '../client/connection.ts';
import { KafkaError } from '../proto/kafka/errors.ts';
import { VERSION } from '../stdx/version.ts';
import { deleteGroup, deleteOffsets, describeGroup, listGroups, resetOffsets } from './groups.ts';
import type { ResetFlags } from './offset-resets.ts';
import {
  alterConfig,
  createTopic,
  deleteTopic,
  describeConfig,
  describeTopics,
  growTopic,
  listTopics,
  parseConfigs,
} from './topics.ts';

export function print(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

export async function withAdmin<T>(
  bootstrap: string,
  run: (admin: AdminClient) => Promise<T>,
): Promise<T> {
  using admin = new AdminClient(parseBootstrap(bootstrap));
  return await run(admin);
}

export const bootstrapOption = () =>
  new Option('--bootstrap-server <host:port>', 'brokers to begin with').default('localhost:9092');
export const collect = (value: string, before: string[]) => [...before, value];
export const wholeNumber = (name: string) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new Error(`${name} must be a whole number, it is ${text}`);
  return value;
};

/** Exactly one of Kafka's action flags must be given. */
export function action(options: Record<string, unknown>, names: readonly string[]): string {
  const given = names.filter((name) => options[name] === true);
  if (given.length !== 1)
    throw new Error(
      `exactly one of ${names.map((name) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`).join(', ')} must be given`,
    );
  return given[0] as string;
}

export function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw new Error(`${flag} must be given`);
  return value;
}

export function kafkaTopics(name = 'kafka-topics'): Command {
  return new Command(name)
    .description('Create, list, describe, alter and delete topics.')
    .addOption(bootstrapOption())
    .option('--create', 'create a topic')
    .option('--list', 'list all topics')
    .option('--describe', 'show partitions, leaders, replicas and ISR')
    .option('--alter', 'change the number of partitions')
    .option('--delete', 'delete a topic')
    .option('--topic <name>', 'the topic')
    .option('--partitions <n>', 'number of partitions', wholeNumber('--partitions'))
    .option(
      '--replication-factor <n>',
      'replicas of each partition',
      wholeNumber('--replication-factor'),
    )
    .option('--config <name=value>', 'a topic configuration (repeatable)', collect, [])
    .option('--if-not-exists', 'create only what does not exist')
    .option('--if-exists', 'act only on what exists')
    .option('--exclude-internal', 'leave internal topics out')
    .action(
      async (o: {
        topic?: string;
        partitions?: number;
        replicationFactor?: number;
        config: string[];
        bootstrapServer: string;
        ifNotExists?: boolean;
        ifExists?: boolean;
        excludeInternal?: boolean;
      }) => {
        await withAdmin(o.bootstrapServer, async (admin) => {
          switch (action(o as never, ['create', 'list', 'describe', 'alter', 'delete'])) {
            case 'create':
              return print([
                await createTopic(admin, {
                  name: required(o.topic, '--topic'),
                  partitions: o.partitions ?? -1,
                  replicas: o.replicationFactor ?? -1,
                  configs: parseConfigs(o.config),
                  ifNotExists: o.ifNotExists === true,
                }),
              ]);
            case 'list':
              return print(
                (await listTopics(admin)).filter(
                  (topic) => !(o.excludeInternal && topic.startsWith('__')),
                ),
              );
            case 'describe':
              return print(
                await describeTopics(admin, o.topic === undefined ? null : o.topic.split(',')),
              );
            case 'alter':
              if (o.partitions === undefined)
                throw new Error('--partitions must be given with --alter');
              return growTopic(admin, required(o.topic, '--topic'), o.partitions);
            default:
              for (const topic of required(o.topic, '--topic').split(','))
                await deleteTopic(admin, topic, o.ifExists === true);
              return undefined;
          }
        });
      },
    );
}

export function kafkaConsumerGroups(name = 'kafka-consumer-groups'): Command {
  return new Command(name)
    .description('List, describe, delete groups and reset their offsets.')
    .addOption(bootstrapOption())
    .option('--list', 'list all groups')
    .option('--describe', 'show offsets and lag')
    .option('--delete', 'delete a group that has no members')
    .option('--reset-offsets', 'move the offsets of a group')
    .option('--group <id>', 'the group')
    .option('--all-groups', 'every group')
    .option('--delete-offsets', 'delete the offsets of a topic')
    .option('--topic <name>', 'a topic (repeatable)', collect, [])
    .option('--all-topics', 'every topic that the group has offsets of')
    .option('--state', 'list states too')
    .option('--to-earliest', 'reset to the beginning')
    .option('--to-latest', 'reset to the end')
    .option('--to-current', 'reset to where the group is')
    .option('--to-offset <n>', 'reset to this offset', wholeNumber('--to-offset'))
    .option('--shift-by <n>', 'move forward, or back if negative', wholeNumber('--shift-by'))
    .option(
      '--to-datetime <time>',
      'reset to records from then on, such as 2026-01-31T12:00:00.000',
    )
    .option('--by-duration <duration>', 'reset to records that are younger, such as P1DT2H')
    .option('--execute', 'do it; otherwise it is only shown')
    .option('--dry-run', 'only show it')
    .action(
      async (
        o: ResetFlags & {
          group?: string;
          allGroups?: boolean;
          bootstrapServer: string;
          topic: string[];
          allTopics?: boolean;
          state?: boolean;
          execute?: boolean;
        },
      ) => {
        const verbs = ['list', 'describe', 'delete', 'resetOffsets', 'deleteOffsets'];
        await withAdmin(o.bootstrapServer, async (admin) => {
          const verb = action(o as never, verbs);
          if (verb === 'list') {
            const listed = await listGroups(admin);
            const line = ({ groupId, state }: { groupId: string; state: string }) =>
              o.state ? `${groupId}\t${state}` : groupId;
            return print(listed.map(line));
          }
          const groups = o.allGroups
            ? (await listGroups(admin)).map(({ groupId }) => groupId)
            : [required(o.group, '--group')];
          for (const groupId of groups) {
            if (verb === 'describe') print(['', ...(await describeGroup(admin, groupId))]);
            else if (verb === 'delete') {
              await deleteGroup(admin, groupId);
              print([`Deletion of requested consumer groups ('${groupId}') was successful.`]);
            } else if (verb === 'deleteOffsets') {
              print(await deleteOffsets(admin, groupId, required(o.topic[0], '--topic')));
            } else {
              if (!o.allTopics) required(o.topic[0], '--topic or --all-topics');
              const topics = o.allTopics ? null : o.topic;
              const execute = o.execute === true;
              const nowMs = Date.now();
              print(await resetOffsets(admin, { groupId, topics, to: o, execute, nowMs }));
            }
          }
          return undefined;
        });
      },
    );
}

export function kafkaConfigs(name = 'kafka-configs'): Command {
  return new Command(name)
    .description('Show and change the configuration of topics and of the cluster.')
    .addOption(bootstrapOption())
    .addOption(
      new Option('--entity-type <type>', 'what is configured').choices(['topics', 'brokers']),
    )
    .option('--entity-name <name>', 'its name')
    .option('--entity-default', 'the default of all brokers')
    .option('--topic <name>', 'the same as --entity-type topics --entity-name')
    .option('--describe', 'show the configuration')
    .option('--alter', 'change the configuration')
    .option('--all', 'show defaults too')
    .option('--add-config <name=value>', 'set (repeatable, or separated by commas)', collect, [])
    .option('--delete-config <names>', 'reset to the default, separated by commas', '')
    .action(
      async (o: {
        entityType?: 'topics' | 'brokers';
        entityName?: string;
        entityDefault?: boolean;
        topic?: string;
        all?: boolean;
        addConfig: string[];
        deleteConfig: string;
        bootstrapServer: string;
      }) => {
        const type = o.topic === undefined ? o.entityType : 'topics';
        if (type === undefined) throw new Error('--entity-type must be given');
        const entity = o.topic ?? o.entityName ?? (o.entityDefault ? '' : undefined);
        if (entity === undefined)
          throw new Error('--entity-name or --entity-default must be given');
        await withAdmin(o.bootstrapServer, async (admin) => {
          if (action(o as never, ['describe', 'alter']) === 'describe') {
            print([
              `Dynamic configs for ${type.slice(0, -1)} ${entity === '' ? '<default>' : entity} are:`,
              ...(await describeConfig(admin, type, entity, o.all === true)),
            ]);
            return;
          }
          const remove = o.deleteConfig.split(',').filter((one) => one !== '');
          await alterConfig(admin, { type, name: entity, set: parseConfigs(o.addConfig), remove });
          print([`Completed updating config for ${type.slice(0, -1)} ${entity}.`]);
        });
      },
    );
}

const servers = (text: string) => parseBootstrap(text).map(({ host, port }) => `${host}:${port}`);
const properties = (pairs: readonly string[]) =>
  new Map(parseConfigs(pairs).map(({ name, value }) => [name, value.replaceAll('\\t', '\t')]));

export function kafkaConsoleProducer(name = 'kafka-console-producer'): Command {
  return new Command(name)
    .description('Send lines of standard input as records.')
    .addOption(bootstrapOption())
    .requiredOption('--topic <name>', 'the topic')
    .option('--property <name=value>', 'parse.key=true, key.separator=:', collect, [])
    .option('--reader-property <name=value>', 'the same as --property', collect, [])
    .option('--compression-codec [codec]', 'none, gzip, snappy, lz4 or zstd', 'none')
    .option('--request-required-acks <acks>', '0, 1 or all', 'all')
    .action(
      async (o: {
        topic: string;
        property: string[];
        readerProperty: string[];
        compressionCodec: string | true;
        requestRequiredAcks: string;
        bootstrapServer: string;
      }) => {
        const { produceLines } = await import('./console.ts');
        const of = properties([...o.property, ...o.readerProperty]);
        await produceLines({
          bootstrap: servers(o.bootstrapServer),
          topic: o.topic,
          acks: o.requestRequiredAcks === 'all' ? -1 : Number(o.requestRequiredAcks),
          compression: o.compressionCodec === true ? 'gzip' : o.compressionCodec,
          keySeparator: of.get('parse.key') === 'true' ? (of.get('key.separator') ?? '\t') : null,
        });
      },
    );
}

export function kafkaConsoleConsumer(name = 'kafka-console-consumer'): Command {
  return new Command(name)
    .description('Print the records of a topic.')
    .addOption(bootstrapOption())
    .requiredOption('--topic <name>', 'the topic')
    .option('--from-beginning', 'begin with the oldest record')
    .option('--group <id>', 'consume as a member of this group and commit')
    .option('--partition <n>', 'only this partition', wholeNumber('--partition'))
    .option('--max-messages <n>', 'stop after that many', wholeNumber('--max-messages'))
    .option(
      '--timeout-ms <ms>',
      'stop when nothing comes for that long',
      wholeNumber('--timeout-ms'),
    )
    .option(
      '--property <name=value>',
      'print.key, print.value, print.timestamp, print.partition, print.offset, print.headers, key.separator',
      collect,
      [],
    )
    .option('--formatter-property <name=value>', 'the same as --property', collect, [])
    .action(
      async (o: {
        topic: string;
        fromBeginning?: boolean;
        group?: string;
        partition?: number;
        maxMessages?: number;
        timeoutMs?: number;
        property: string[];
        formatterProperty: string[];
        bootstrapServer: string;
      }) => {
        const { consumeLines } = await import('./console.ts');
        const of = properties([...o.property, ...o.formatterProperty]);
        const on = (key: string, preset: boolean) => (of.get(key) ?? String(preset)) === 'true';
        const count = await consumeLines({
          bootstrap: servers(o.bootstrapServer),
          topic: o.topic,
          group: o.group ?? null,
          fromBeginning: o.fromBeginning === true,
          messagesMax: o.maxMessages ?? Infinity,
          timeoutMs: o.timeoutMs ?? Infinity,
          partition: o.partition ?? null,
          print: {
            key: on('print.key', false),
            value: on('print.value', true),
            timestamp: on('print.timestamp', false),
            partition: on('print.partition', false),
            offset: on('print.offset', false),
            headers: on('print.headers', false),
            separator: of.get('key.separator') ?? '\t',
          },
        });
        process.stderr.write(`Processed a total of ${count} messages\n`);
      },
    );
}

/** Runs a command; what goes wrong is one sentence on standard error. */
export async function run(command: Command, argv: readonly string[]): Promise<void> {
  try {
    await command
      .version(VERSION)
      .exitOverride()
      .parseAsync([...argv], { from: 'user' });
    process.exit(0);
  } catch (cause) {
    if (cause instanceof CommanderError) process.exit(cause.exitCode);
    const expected = cause instanceof KafkaError || cause instanceof ConnectionLost;
    const message = cause instanceof Error ? cause.message : String(cause);
    process.stderr.write(`${expected ? '' : 'error: '}${message}\n`);
    process.exit(1);
  }
}
