/*
 * A participant of sagas: take a command, do it once, answer.
 *
 *   const app = new Worker({topic: "mail.commands", group: "mail", schema: "mail", db, brokers});
 *   app.on("mail.send.v1", async (cmd, tx) => {
 *     if (!cmd.input.to) throw new Refuse("no_address");
 *     await tx.query("insert into mails (key, who) values ($1, $2)", [cmd.key, cmd.input.to]);
 *   });
 *   await app.run();
 *
 * `tx` is a pg client in the transaction that already holds the barrier's row: what the handler
 * writes there happens once, however often the command comes. A handler answers by what it does:
 * return a value: success; throw Refuse: nothing happened and nothing will; throw Later: not now.
 * Any other error of a handler is a Later with the code `error`.
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { Kafka, Partitioners, logLevel } = require("kafkajs");
const { Pool } = require("pg");

const BARRIER = path.join(__dirname, "..", "sql", "barrier.sql");

/** A business refusal, with its code: no effect, no retry, the saga turns back. */
class Refuse extends Error {
  constructor(code, detail = null) {
    super(code);
    Object.assign(this, { code, detail });
  }
}

/** Not now. `after` ("30s") names the time; without it sagad waits by its retry policy. */
class Later extends Error {
  constructor(code = "busy", after = null) {
    super(code);
    Object.assign(this, { code, after });
  }
}

/** The database broke under us: whether the transaction committed only the barrier knows. */
const isBroken = (error) => !error.code || /^(08|57P|ECONN|EPIPE|ETIMEDOUT)/.test(error.code);

function commandOf(message) {
  const header = (name) => message.headers[name]?.toString();
  const cmd = {
    input: JSON.parse(message.value?.toString() || "null") ?? {},
    key: header("ce_idempotencykey"), op: header("ce_sagaop"), type: header("ce_type"),
    attempt: Number(header("ce_sagaattempt") ?? 1), token: header("ce_sagatoken"),
    replyTo: header("ce_sagareplyto"), partitionKey: message.key,
  };
  if (!cmd.key || !cmd.op || !cmd.token || !cmd.replyTo) throw new SyntaxError("a header is missing");
  return cmd;
}

class Worker {
  constructor({ topic, group, schema, db, brokers, install = [] }) {
    Object.assign(this, { topic, schema, install: [BARRIER, ...install], handlers: new Map(), stopping: false });
    const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.ERROR, retry: { retries: 1000, maxRetryTime: 2000 } });
    this.consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000, heartbeatInterval: 1000, maxWaitTimeInMs: 20 });
    this.producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    this.pool = new Pool({ connectionString: db, max: 4, options: `-c search_path=${schema}` });
    this.pool.on("error", (error) => console.error(`database: ${error.message}`));
  }

  on(type, handler) {
    this.handlers.set(type, handler);
    return this;
  }

  async prepare() {
    const client = await this.pool.connect();
    try {
      await client.query(`begin; select pg_advisory_xact_lock(hashtext('${this.schema}'));` +
        `create schema if not exists ${this.schema}; commit`);
      for (const script of this.install) await client.query(fs.readFileSync(script, "utf8"));
    } finally {
      client.release();
    }
  }

  /** The answer, after the commit. */
  async once(cmd) {
    const tx = await this.pool.connect();
    let broken;
    try {
      await tx.query("begin");
      const found = await tx.query("select verdict, reply from saga_begin($1, $2)", [cmd.key, cmd.op]);
      let { verdict, reply } = found.rows[0];
      if (verdict === "run") {
        reply = JSON.stringify((await this.handlers.get(cmd.type)(cmd, tx)) ?? {});
        await tx.query("select saga_done($1, $2, $3)", [cmd.key, cmd.op, reply]);
      }
      await tx.query("commit");
      if (verdict === "refuse") return { outcome: "failure", error: "already_compensated" };
      if (verdict === "skip" && cmd.op === "probe") return { outcome: "failure", error: "never_ran" };
      return { outcome: "success", reply };
    } catch (error) {
      await tx.query("rollback").catch((again) => { broken = again; });
      throw error;
    } finally {
      tx.release(broken);
    }
  }

  async answer(cmd) {
    for (;;) {
      try {
        return await this.once(cmd);
      } catch (error) {
        if (error instanceof Refuse) {
          return { outcome: "failure", error: error.code, reply: JSON.stringify({ code: error.code, detail: error.detail }) };
        }
        if (error instanceof Later) return { outcome: "retry", error: error.code, after: error.after };
        console.error(`${cmd.type} ${cmd.key}: ${error.message}`);
        if (!isBroken(error) || error instanceof TypeError) return { outcome: "retry", error: "error" };
        if (this.stopping) throw error; // no answer: the command comes again
        await sleep(500);
      }
    }
  }

  async handle(message) {
    const cmd = commandOf(message);
    const answer = this.handlers.has(cmd.type) ? await this.answer(cmd) : { outcome: "failure", error: "unknown_type" };
    const headers = { ce_sagatoken: cmd.token, ce_sagaoutcome: answer.outcome, "content-type": "application/json" };
    if (answer.error) headers.ce_sagaerror = answer.error;
    if (answer.after) headers.ce_sagaretryafter = answer.after;
    await this.producer.send({ topic: cmd.replyTo, messages: [{ key: cmd.partitionKey, value: answer.reply ?? "", headers }] });
  }

  /** A topic made a moment ago may not be known to every broker yet. */
  async subscribe() {
    for (;;) {
      try {
        return await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
      } catch (error) {
        if (error.type !== "UNKNOWN_TOPIC_OR_PARTITION" || this.stopping) throw error;
        console.error(`${this.topic} is not there yet`);
        await sleep(500);
      }
    }
  }

  async run() {
    for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => this.stop());
    await this.prepare();
    await Promise.all([this.producer.connect(), this.consumer.connect()]);
    await this.subscribe();
    await this.consumer.run({
      partitionsConsumedConcurrently: 4,
      eachMessage: async ({ topic, partition, message }) => {
        try {
          await this.handle(message);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error; // kafkajs delivers it again
          console.error(`${topic} [${partition}] @ ${message.offset} is no command: ${error.message}`);
        }
      },
    });
    console.error(`serving ${this.topic} in schema ${this.schema}`);
  }

  async stop() {
    this.stopping = true;
    await this.consumer.disconnect();
    await this.producer.disconnect();
    await this.pool.end();
  }
}

module.exports = { Worker, Refuse, Later };
