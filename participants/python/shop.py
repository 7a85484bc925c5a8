"""The demo shop in Python: `python shop.py payments|inventory|risk|shipping|mail|content`.

One process serves one topic. DATABASE_URL, KAFKA_BROKERS and SHOP_SCHEMA (shop_python) say where.
What each command does is told in ../demo/README.md.
"""
import hashlib
import logging
import os
import sys
from pathlib import Path

from saga_worker import Later, Refuse, Worker


def short(prefix, key):
    """An id that follows from the key, so that nobody has to remember it."""
    return prefix + hashlib.md5(key.encode()).hexdigest()[:12]


def payments(app):
    @app.on("payments.charge.v1", silent=lambda cmd: cmd.get("card") == "timeout")
    def charge(cmd, tx):
        if cmd.get("card") == "declined":
            raise Refuse("card_declined", "the bank said no")
        if cmd.get("card") == "down" and cmd.attempt <= 3:
            raise Later("gateway_down")
        tx.execute("insert into charges (key, op, order_id, customer_id, amount, currency) values (%s, %s, %s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["order_id"], cmd["customer_id"], cmd["amount"], cmd["currency"]))
        return {"charge_id": short("ch-", cmd.key)}

    @app.on("payments.refund.v1")
    def refund(cmd, tx):
        tx.execute("insert into charges (key, op, order_id, amount) values (%s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["order_id"], cmd["amount"]))


def inventory(app):
    @app.on("inventory.reserve.v1")
    @app.on("inventory.release.v1")
    def move(cmd, tx):
        tx.execute("insert into reservations (key, op, order_id, sku, qty) values (%s, %s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["order_id"], cmd["sku"], cmd["qty"]))
        return {"reservation_id": short("rs-", cmd.key)} if cmd.op == "action" else {}


def risk(app):
    @app.on("risk.check.v1")
    def check(cmd, tx):
        tx.execute("insert into checks (key, op, customer_id, amount) values (%s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["customer_id"], cmd["amount"]))
        return {"score": 0.1}


def shipping(app):
    @app.on("shipping.book.v1")
    def book(cmd, tx):
        tracking_no = short("TN-", cmd.key)
        tx.execute("insert into parcels (key, op, order_id, customer_id, tracking_no) values (%s, %s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["order_id"], cmd["customer_id"], tracking_no))
        return {"tracking_no": tracking_no}


def mail(app):
    @app.on("mail.send.v1")
    def send(cmd, tx):
        tx.execute("insert into mails (key, op, template, customer_id, order_id, tracking_no) values (%s, %s, %s, %s, %s, %s)",
                   (cmd.key, cmd.op, cmd["template"], cmd["customer_id"], cmd["order_id"], cmd["tracking_no"]))


def content(app):
    def change(cmd, tx, part, state):
        """Set the state of one part of a title; returns the state before."""
        place = (part, cmd["title_id"], cmd.get("region") or "")
        row = tx.execute("select state from content_states where (part, title_id, region) = (%s, %s, %s) for update",
                         place).fetchone()
        previous = row[0] if row else None
        tx.execute("insert into content_states values (%s, %s, %s, %s) on conflict (part, title_id, region)"
                   " do update set state = excluded.state", (*place, state))
        tx.execute("insert into content_changes (key, op, part, title_id, region, previous, state)"
                   " values (%s, %s, %s, %s, %s, %s, %s)", (cmd.key, cmd.op, *place, previous, state))
        return previous

    def set_state(cmd, tx):
        if cmd.get("region") and cmd["region"] == cmd.get("refuse_region"):
            raise Refuse("rights_conflict", f"no rights in {cmd['region']}")
        return {"previous": change(cmd, tx, cmd.type.split(".")[1], cmd["state"])}

    def restore(cmd, tx):
        row = tx.execute("select previous from content_changes where key = %s and op = 'action'", (cmd.key,)).fetchone()
        change(cmd, tx, cmd.type.split(".")[1], row[0])

    for part in ("rights", "catalogue", "artwork", "availability", "search", "cache"):
        app.on(f"content.{part}.set.v1")(set_state)
        app.on(f"content.{part}.restore.v1")(restore)


SERVICES = {service.__name__: service for service in (payments, inventory, risk, shipping, mail, content)}

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:
        sys.exit(f"usage: shop.py {'|'.join(SERVICES)}")
    name = sys.argv[1]
    worker = Worker(f"{name}.commands", group=name, db=os.environ["DATABASE_URL"],
                    brokers=os.environ["KAFKA_BROKERS"], schema=os.environ.get("SHOP_SCHEMA", "shop_python"),
                    install=[Path(__file__).resolve().parent.parent / "demo" / "shop.sql"])
    SERVICES[name](worker)
    worker.run()
