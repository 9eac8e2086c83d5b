/** More of Kafka's command lines: offsets, records, log directories, moves, elections, transactions. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  action,
  bootstrapOption,
  collect,
  print,
  required,
  wholeNumber,
  withAdmin,
} from './kafka-tools.ts';
import {
  deleteRecords,
  describeLogDirs,
  electLeaders,
  getOffsets,
  listReassignments,
  reassign,
  verifyReassignment,
} from './partitions.ts';
import {
  abortTransaction,
  describeTransaction,
  findHanging,
  listTransactions,
} from './transactions.ts';

interface Server {
  readonly bootstrapServer: string;
}

const listed = (text: string | undefined) => (text === undefined ? null : text.split(','));

/** @throws Error with a sentence where the file is none of that kind */
function readPartitions(path: string): never {
  let content: { partitions?: unknown };
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path} cannot be read as JSON: ${(cause as Error).message}`);
  }
  if (!Array.isArray(content?.partitions))
    throw new Error(`${path} must hold {"version":1,"partitions":[…]}`);
  return content as never;
}

export function kafkaGetOffsets(name = 'kafka-get-offsets'): Command {
  return new Command(name)
    .description('Offsets of partitions: latest, earliest, or by time.')
    .addOption(bootstrapOption())
    .option('--topic <names>', 'topics, separated by commas (default: all)')
    .option('--time <t>', 'milliseconds, or latest, earliest, max-timestamp', 'latest')
    .action(async (o: Server & { topic?: string; time: string }) => {
      const named: Record<string, number> = { latest: -1, earliest: -2, 'max-timestamp': -3 };
      const time = named[o.time] ?? wholeNumber('--time')(o.time);
      await withAdmin(o.bootstrapServer, async (admin) =>
        print(await getOffsets(admin, listed(o.topic), time)),
      );
    });
}

export function kafkaDeleteRecords(name = 'kafka-delete-records'): Command {
  return new Command(name)
    .description('Delete the records of partitions below an offset; -1 means all.')
    .addOption(bootstrapOption())
    .requiredOption('--offset-json-file <path>', 'which partitions, and up to which offset')
    .action(async (o: Server & { offsetJsonFile: string }) => {
      await withAdmin(o.bootstrapServer, async (admin) =>
        print(await deleteRecords(admin, readPartitions(o.offsetJsonFile))),
      );
    });
}

export function kafkaLogDirs(name = 'kafka-log-dirs'): Command {
  return new Command(name)
    .description('What lies on the disks of brokers, as JSON.')
    .addOption(bootstrapOption())
    .option('--describe', 'show log directories')
    .option('--broker-list <ids>', 'brokers, separated by commas (default: all)')
    .option('--topic-list <names>', 'topics, separated by commas (default: all)')
    .action(async (o: Server & { brokerList?: string; topicList?: string }) => {
      action(o as never, ['describe']);
      const brokers = listed(o.brokerList)?.map(wholeNumber('--broker-list')) ?? null;
      await withAdmin(o.bootstrapServer, async (admin) =>
        print([await describeLogDirs(admin, { brokers, topics: listed(o.topicList) })]),
      );
    });
}

export function kafkaReassignPartitions(name = 'kafka-reassign-partitions'): Command {
  return new Command(name)
    .description('Move partitions to other brokers, watch that, cancel it.')
    .addOption(bootstrapOption())
    .option('--execute', 'begin what the file says')
    .option('--verify', 'tell whether it is done')
    .option('--cancel', 'go back to where the partitions came from')
    .option('--list', 'what moves now')
    .option('--reassignment-json-file <path>', 'partitions and the brokers they are to be on')
    .action(async (o: Server & { reassignmentJsonFile?: string }) => {
      const verb = action(o as never, ['execute', 'verify', 'cancel', 'list']);
      await withAdmin(o.bootstrapServer, async (admin) => {
        if (verb === 'list') return print(await listReassignments(admin));
        const file = readPartitions(required(o.reassignmentJsonFile, '--reassignment-json-file'));
        if (verb === 'verify') return print(await verifyReassignment(admin, file));
        return print(await reassign(admin, file, verb === 'cancel'));
      });
    });
}

export function kafkaLeaderElection(name = 'kafka-leader-election'): Command {
  return new Command(name)
    .description('Elect preferred leaders, or any where nobody else is left.')
    .addOption(bootstrapOption())
    .addOption(
      new Option('--election-type <type>', 'unclean may lose records')
        .choices(['preferred', 'unclean'])
        .makeOptionMandatory(),
    )
    .option('--all-topic-partitions', 'every partition')
    .option('--topic <name>', 'one topic')
    .option('--partition <n>', 'one partition of it', wholeNumber('--partition'))
    .option('--path-to-json-file <path>', 'partitions')
    .action(
      async (
        o: Server & {
          electionType: string;
          allTopicPartitions?: boolean;
          topic?: string;
          partition?: number;
          pathToJsonFile?: string;
        },
      ) => {
        const one =
          o.topic === undefined || o.partition === undefined
            ? undefined
            : [{ topic: o.topic, partition: o.partition }];
        const filed =
          o.pathToJsonFile === undefined
            ? undefined
            : (readPartitions(o.pathToJsonFile) as { partitions: never[] }).partitions;
        const partitions = o.allTopicPartitions ? null : (one ?? filed);
        if (partitions === undefined) {
          throw new Error(
            '--all-topic-partitions, --topic with --partition, or --path-to-json-file must be given',
          );
        }
        const unclean = o.electionType === 'unclean';
        await withAdmin(o.bootstrapServer, async (admin) =>
          print(await electLeaders(admin, { unclean, partitions })),
        );
      },
    );
}

export function kafkaTransactions(name = 'kafka-transactions'): Command {
  const command = new Command(name).description('List, describe and abort transactions.');
  command
    .command('list')
    .description('every transactional id')
    .addOption(bootstrapOption())
    .action(async (o: Server) => {
      await withAdmin(o.bootstrapServer, async (admin) => print(await listTransactions(admin)));
    });
  command
    .command('describe')
    .description('one transactional id')
    .addOption(bootstrapOption())
    .requiredOption('--transactional-id <id>', 'the id')
    .action(async (o: Server & { transactionalId: string }) => {
      await withAdmin(o.bootstrapServer, async (admin) =>
        print(await describeTransaction(admin, o.transactionalId)),
      );
    });
  command
    .command('find-hanging')
    .description('transactions that partitions show as open and no coordinator knows')
    .addOption(bootstrapOption())
    .option('--topic <name>', 'a topic (repeatable; default: all)', collect, [])
    .option(
      '--max-transaction-timeout <minutes>',
      'younger ones are left out',
      wholeNumber('--max-transaction-timeout'),
      15,
    )
    .action(async (o: Server & { topic: string[]; maxTransactionTimeout: number }) => {
      const topics = o.topic.length === 0 ? null : o.topic;
      const olderThanMs = o.maxTransactionTimeout * 60_000;
      await withAdmin(o.bootstrapServer, async (admin) =>
        print(await findHanging(admin, { topics, olderThanMs, nowMs: Date.now() })),
      );
    });
  command
    .command('abort')
    .description('end a transaction that hangs in a partition')
    .addOption(bootstrapOption())
    .requiredOption('--topic <name>', 'the topic')
    .requiredOption('--partition <n>', 'the partition', wholeNumber('--partition'))
    .requiredOption('--start-offset <n>', 'where it begins', wholeNumber('--start-offset'))
    .action(async (o: Server & { topic: string; partition: number; startOffset: number }) => {
      await withAdmin(o.bootstrapServer, (admin) => abortTransaction(admin, o));
    });
  return command;
}
