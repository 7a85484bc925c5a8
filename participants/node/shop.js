/*
 * The demo shop in Node: `node shop.js inventory|risk|shipping|mail`.
 *
 * One process serves one topic. DATABASE_URL, KAFKA_BROKERS and SHOP_SCHEMA (shop_node) say where.
 * What each command does is told in ../demo/README.md.
 */
"use strict";
const crypto = require("node:crypto");
const path = require("node:path");
const { Worker } = require("./saga_worker");

/** An id that follows from the key, so that nobody has to remember it. */
const short = (prefix, key) => prefix + crypto.createHash("md5").update(key).digest("hex").slice(0, 12);

const SERVICES = {
  inventory(app) {
    const move = (cmd, tx) => tx.query("insert into reservations (key, op, order_id, sku, qty) values ($1, $2, $3, $4, $5)",
      [cmd.key, cmd.op, cmd.input.order_id, cmd.input.sku, cmd.input.qty]);
    app.on("inventory.reserve.v1", async (cmd, tx) => {
      await move(cmd, tx);
      return { reservation_id: short("rs-", cmd.key) };
    });
    app.on("inventory.release.v1", async (cmd, tx) => {
      await move(cmd, tx);
    });
  },

  risk(app) {
    app.on("risk.check.v1", async (cmd, tx) => {
      await tx.query("insert into checks (key, op, customer_id, amount) values ($1, $2, $3, $4)",
        [cmd.key, cmd.op, cmd.input.customer_id, cmd.input.amount]);
      return { score: 0.1 };
    });
  },

  shipping(app) {
    app.on("shipping.book.v1", async (cmd, tx) => {
      const tracking_no = short("TN-", cmd.key);
      await tx.query("insert into parcels (key, op, order_id, customer_id, tracking_no) values ($1, $2, $3, $4, $5)",
        [cmd.key, cmd.op, cmd.input.order_id, cmd.input.customer_id, tracking_no]);
      return { tracking_no };
    });
  },

  mail(app) {
    app.on("mail.send.v1", async (cmd, tx) => {
      const { template, customer_id, order_id, tracking_no } = cmd.input;
      await tx.query("insert into mails (key, op, template, customer_id, order_id, tracking_no) values ($1, $2, $3, $4, $5, $6)",
        [cmd.key, cmd.op, template, customer_id, order_id, tracking_no]);
    });
  },
};

const name = process.argv[2];
if (!Object.hasOwn(SERVICES, name ?? "") || !process.env.DATABASE_URL || !process.env.KAFKA_BROKERS) {
  console.error(`usage: DATABASE_URL=... KAFKA_BROKERS=... node shop.js ${Object.keys(SERVICES).join("|")}`);
  process.exit(2);
}
const app = new Worker({
  topic: `${name}.commands`, group: name, schema: process.env.SHOP_SCHEMA ?? "shop_node",
  db: process.env.DATABASE_URL, brokers: process.env.KAFKA_BROKERS,
  install: [path.join(__dirname, "..", "demo", "shop.sql")],
});
SERVICES[name](app);
app.run().catch((error) => {
  console.error(error);
  process.exit(1);
});
