"""The store's tables, as SQLAlchemy Core; the migrations in `migrations/` create them, a test holds the two together."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

channels = Table(
    "channels",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("mode", String(16), nullable=False),  # auto | mention
    Column("seeds", Boolean, nullable=False, default=False),  # put the likely labels' emoji on messages
    Column("reactions", String(16), nullable=False, server_default="reply"),  # reply | message: where else than there they count
    Column("summary", String(16)),  # daily | weekly; empty: none is posted
    Column("summary_hour", Integer),  # when, by the clock of `summary_zone`
    Column("summary_zone", String(64)),
    Column("summary_since", DateTime(timezone=True)),  # when that was chosen: none is posted of before
    Column("display", String(16), nullable=False, server_default="thread"),  # `showing.Display`
    Column("delay_minutes", Integer, nullable=False, server_default="0"),
    Column("rest", JSON(none_as_null=True)),  # `showing.Rest`
    Column("labels", JSON(none_as_null=True)),  # that are used there; empty: all, new ones too
    Column("canvas", String(32)),  # Slack's id of the one with the label guide; empty: nobody asked for one
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("ts", String(64), nullable=False),
    Column("thread_ts", String(64)),
    Column("user", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("blind", Boolean, nullable=False, server_default=text("false")),  # the prediction is hidden until judged
    Column("response_url", Text),  # of a command, until it is answered
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("revision", Integer, nullable=False),  # of the text: an edit adds one
    Column("edited_at", BigInteger, nullable=False, server_default="0"),  # Slack's time of the last edit, microseconds
    Column("offered", JSON(none_as_null=True)),  # the emoji that we put on it, each with the label that it was put for
    Column("asked", Boolean, nullable=False, server_default=text("false")),  # for its reply, whatever the channel shows
    UniqueConstraint("channel", "ts"),
)
Index("ix_messages_blind", messages.c.id, sqlite_where=text("blind"), postgresql_where=text("blind"))
# What became of judged messages counts at once too; few are edited or deleted.
_edited, _deleted = text("edited_at > 0"), text("deleted_at is not null")
Index("ix_messages_edited", messages.c.edited_at, sqlite_where=_edited, postgresql_where=_edited)
Index("ix_messages_deleted", messages.c.deleted_at, sqlite_where=_deleted, postgresql_where=_deleted)
_offered_and_gone = text("offered is not null and deleted_at is not null")
Index("ix_messages_offered", messages.c.id, sqlite_where=_offered_and_gone, postgresql_where=_offered_and_gone)

# Retention looks only at texts that are there.
Index(
    "ix_messages_kept",
    messages.c.received_at,
    sqlite_where=text("text != ''"),
    postgresql_where=text("text != ''"),
)
Index("ix_messages_user", messages.c.user)

# Who wants nothing more said about a message, or no longer: of each person what they did last, by Slack's time.
mutes = Table(
    "mutes",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("ts", String(64), primary_key=True),
    Column("user", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),  # microseconds
    Column("muted", Boolean, nullable=False),
)
Index("ix_mutes_user", mutes.c.user)

predictions = Table(
    "predictions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("prediction", JSON, nullable=False),
    Column("model_s", Float, nullable=False),  # seconds inside the network, of the micro-batch that it was in
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("known_from", String(160)),  # "channel:ts" of the judged message that decided it
    UniqueConstraint("message_id", "revision", "version"),
)
_known = text("known_from is not null")
Index("ix_predictions_known_from", predictions.c.known_from, sqlite_where=_known, postgresql_where=_known)

# What is to stand in Slack: replies, questions, digests, what tells of a run, and announcements (`outbox.Kind`).
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(255), nullable=False, unique=True),  # "reply:7", "status:3": saving twice makes one row
    Column("kind", String(16), nullable=False),
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE")),
    Column("run_id", Integer),
    Column("channel", String(32), nullable=False),
    Column("thread_ts", String(64)),
    Column("ts", String(64)),  # of the post in Slack; empty until there is one
    Column("state", String(24), nullable=False),  # `outbox.State`
    Column("wanted", Integer, nullable=False),  # adds one whenever the post should look different
    Column("shown", Integer, nullable=False, server_default="0"),  # the `wanted` that the post shows
    Column("claimed_by", String(64)),
    Column("claimed_until", DateTime(timezone=True)),
    Column("tries", Integer, nullable=False, server_default="0"),  # how often the sweep sent it again
    Column("retry_at", DateTime(timezone=True)),  # the sweep leaves it alone until then; empty: for ever
    Column("posted_at", DateTime(timezone=True)),
    Column("rendered_at", DateTime(timezone=True)),
    Column("asked", JSON),  # of a reply: labels that its thread was asked about, and how each stood
    Column("digest_id", Integer),  # of a reply: the row that answers it together with others
    # Of a reply: the id of the newest gesture when earlier ones were found to be about its message; empty: none was earlier.
    Column("judged_before", Integer),
    Column("content", JSON),
    Column("reason", String(255)),  # why Slack refused it
)
# The sweep looks only at the few rows that wait, however many are stored; and so does each channel's line.
_waits, _turn, _refused = text("retry_at is not null"), text("state = 'waiting_turn'"), text("state = 'refused'")
Index("ix_outbox_waiting", outbox.c.retry_at, sqlite_where=_waits, postgresql_where=_waits)
Index("ix_outbox_turn", outbox.c.channel, sqlite_where=_turn, postgresql_where=_turn)
Index("ix_outbox_refused", outbox.c.channel, sqlite_where=_refused, postgresql_where=_refused)
_digested = text("digest_id is not null")
Index("ix_outbox_digest", outbox.c.digest_id, sqlite_where=_digested, postgresql_where=_digested)
_judged_before = text("judged_before is not null")
Index("ix_outbox_judged_before", outbox.c.judged_before, sqlite_where=_judged_before, postgresql_where=_judged_before)
Index("ix_outbox_message", outbox.c.message_id, outbox.c.kind)
_question = text("kind = 'question'")
Index("ix_outbox_question", outbox.c.id, sqlite_where=_question, postgresql_where=_question)  # disputes, newest first
Index("ix_outbox_ts", outbox.c.ts)  # a reaction on a reply, a click on a report, name only its ts

# Which labels lead a message where, as the team wants it. Which messages did is in the outbox.
routes = Table(
    "routes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("route", JSON, nullable=False),  # `routes.Route`
    Column("status", String(16), nullable=False),  # off | on | removed
    Column("before", JSON(none_as_null=True)),  # what the last change made otherwise
    Column("changed_by", String(32), nullable=False),
    Column("told_in", String(32), nullable=False),  # the channel in which it was made
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("secret", String(64), nullable=False),  # signs what its webhook gets
    Column("failing_since", DateTime(timezone=True)),  # of the webhook: nothing was taken since
    Column("try_at", DateTime(timezone=True)),  # of the webhook, after a failure: not before
    Column("failures", Integer, nullable=False, server_default="0"),
)

# Append-only: what people did, as they did it. What follows from it is computed (`judgements.fold`).
gestures = Table(
    "gestures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # a hash of all that makes it this gesture and no other
    Column("channel", String(32), nullable=False),
    Column("item_ts", String(64), nullable=False),  # of the message or of its reply, which may not be known yet
    Column("user", String(32), nullable=False),
    Column("handle", String(255), nullable=False),
    Column("at", BigInteger, nullable=False),  # Slack's time, microseconds
    Column("kind", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("silent", JSON, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("via", String(16), nullable=False),
    Column("prediction_id", Integer),  # what was shown when it was made; empty: nothing yet
    Column("note", Text),
    Column("saved_at", DateTime(timezone=True), nullable=False),
)
Index("ix_gestures_item", gestures.c.channel, gestures.c.item_ts)
Index("ix_gestures_user", gestures.c.user, gestures.c.at)
Index("ix_gestures_at", gestures.c.at, gestures.c.user, gestures.c.withdrawn)  # who did how much in a week

# What these say depends on what the network says later, and they are few.
_before_a_word = text("prediction_id is null and kind in ('correct', 'wrong')")
Index("ix_gestures_before_a_word", gestures.c.id, sqlite_where=_before_a_word, postgresql_where=_before_a_word)

# Notes wait for a reviewer, and they are few among what was said.
_noted = text("note is not null")
Index("ix_gestures_note", gestures.c.id, sqlite_where=_noted, postgresql_where=_noted)

# The cards of the review: a message that one person was given to judge, and what came of it. An open one is theirs alone.
review_cards = Table(
    "review_cards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("user", String(32), nullable=False),
    Column("reason", String(16), nullable=False),  # `reviews.Reason`
    Column("blind", Boolean, nullable=False),  # it shows no labels
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("claimed_until", DateTime(timezone=True), nullable=False),
    Column("outcome", String(16)),  # judged | skipped | undone | expired; empty while it is open
    Column("ended_at", DateTime(timezone=True)),
)
_open = text("outcome is null")
Index("uq_review_cards_open", review_cards.c.message_id, unique=True, sqlite_where=_open, postgresql_where=_open)
Index("ix_review_cards_blind", review_cards.c.message_id, sqlite_where=text("blind"), postgresql_where=text("blind"))
Index("ix_review_cards_message_id", review_cards.c.message_id)
Index("ix_review_cards_user", review_cards.c.user, review_cards.c.ended_at)

# What stands under each message, as it was last shown, so that it can be counted: derived from what people and versions said.
# No foreign key: PostgreSQL would lock the message after its reply's row, and everybody else locks them the other way round.
standings = Table(
    "standings",
    metadata,
    Column("message_id", Integer, primary_key=True, autoincrement=False),
    Column("channel", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),  # when the message was written, microseconds
    Column("labels", Integer, nullable=False),  # how many stand
    Column("judged", Boolean, nullable=False),  # somebody said something that counts
    Column("corrected", Boolean, nullable=False),  # and what stands is not what was predicted
)
standing_labels = Table(
    "standing_labels",
    metadata,
    Column("message_id", Integer, primary_key=True, autoincrement=False),
    Column("label", String(255), primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
)
# What is counted stands in the index: the rows themselves need not be read.
Index("ix_standings_at", *(standings.c[name] for name in ("at", "labels", "judged", "corrected")))
Index("ix_standings_channel", *(standings.c[name] for name in ("channel", "at", "labels", "judged", "corrected")))
Index("ix_standing_labels_label", standing_labels.c.label, standing_labels.c.at)
Index("ix_standing_labels_channel", standing_labels.c.channel, standing_labels.c.at, standing_labels.c.label)

# What the labels themselves suggest: each question is asked once, and answered by whoever may change labels.
label_questions = Table(
    "label_questions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("month", String(7), nullable=False),
    Column("key", String(255), nullable=False, unique=True),
    Column("question", JSON, nullable=False),  # `label_questions.LabelQuestion`
    Column("answered_by", String(32)),
)

# Where somebody is reminded daily of the review: their direct messages with the bot, or a channel.
portions = Table(
    "portions",
    metadata,
    Column("channel", String(32), primary_key=True),
    Column("user", String(32), nullable=False),  # who asked for it
    Column("hour", Integer, nullable=False),  # by their clock, which is `offset_s` ahead of UTC
    Column("offset_s", Integer, nullable=False),
    Column("last_day", String(10), nullable=False),  # by that clock: the last day that needs no reminder any more
)

# Labels of judged messages that look wrong: what to ask people about, replaced by each training.
suspicions = Table(
    "suspicions",
    metadata,
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("label", String(64), primary_key=True),
    Column("says", Boolean, nullable=False),  # what people say: that it applies, or not
    Column("score", Float, nullable=False),  # the lower, the less believable
    Column("found_at", DateTime(timezone=True), nullable=False),
)

# How many rows there are, without counting them: triggers keep it, on eight rows so that writers do not queue for one.
tallies = Table(
    "tallies",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("messages", Integer, nullable=False, server_default="0"),
    Column("gestures", Integer, nullable=False, server_default="0"),
)

# The workspace that this database belongs to, and what it chose: one row. An empty choice leaves it to the setting.
workspace = Table(
    "workspace",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("team", String(32)),  # empty until the first bot has told it
    Column("retention_days", Integer),
    Column("retention_corrected_days", Integer),
    Column("standings_from", Integer),  # of messages with a lesser id it is not noted yet what stands; empty: none are left
)

# What the replies process learnt about people who judge, so that others need not ask Slack.
people = Table(
    "people",
    metadata,
    Column("user", String(32), primary_key=True),
    Column("may_judge", Boolean, nullable=False),
    Column("expert", Boolean, nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Column("told_at", DateTime(timezone=True)),  # when somebody who may not judge was last told so
)

# Labelled messages that somebody imported; seed messages stay in the package.
examples = Table(
    "examples",
    metadata,
    Column("text_key", String(64), primary_key=True),  # a hash of the normalised text
    Column("text", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("unknown", JSON, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False),
)

# The split in which a text was put first, which it keeps for ever: what was once tested on is never trained on.
split_assignments = Table(
    "split_assignments",
    metadata,
    Column("text_key", String(64), primary_key=True),
    Column("split", String(8), nullable=False),
)

# What the version of each run was trained and tuned on, of what is ours: "channel:ts", or "imported:" and its text_key.
training_texts = Table(
    "training_texts",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("text_id", String(160), primary_key=True),
)
Index("ix_training_texts_text_id", training_texts.c.text_id)

# What somebody asked to have erased: a message, or all of a person's. Executed until `done_at`, whoever dies meanwhile.
erasure_requests = Table(
    "erasure_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user", String(32)),
    Column("message_id", Integer),
    Column("requested_by", String(32), nullable=False),
    Column("versions", JSON, nullable=False),  # that learnt from it
    Column("messages", Integer, nullable=False, server_default="0"),  # how many are erased so far
    Column("judgements", Integer, nullable=False, server_default="0"),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("done_at", DateTime(timezone=True)),
)

# Append-only: how the set of labels became what it is (`labels.Taxonomy.evolve`), after the shipped ones.
label_events = Table(
    "label_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event", JSON, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("folder", Text, nullable=False),  # relative to the versions folder in BETO_HOME
    Column("card", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("run_id", Integer),  # that made it: a run which is done twice makes one version
    Column("removed_at", DateTime(timezone=True)),  # its folder is gone, to save room
)
Index("uq_versions_run_id", versions.c.run_id, unique=True)

# Append-only: the newest row names the live version, so promotion and rollback are one insert.
promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", ForeignKey("versions.number"), nullable=False),
    Column("promoted_by", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("promoted_at", DateTime(timezone=True), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("requested_by", String(64), nullable=False),
    Column("dry", Boolean, nullable=False, server_default=text("false")),  # everything but the promotion
    Column("status", String(16), nullable=False),  # queued | running | done | failed | cancelled
    Column("progress", JSON),
    Column("version", Integer),
    Column("error", Text),
    Column("failure", String(16)),  # what kind of error: base | killed | other
    Column("report", JSON),
    Column("test_texts", Integer),  # that it was judged on, to count how often they were used
    Column("judgements", Integer, nullable=False, server_default="0"),  # gestures kept when it was asked for
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("beat_at", DateTime(timezone=True), nullable=False),  # last sign of life
    Column("open", Boolean),  # true while queued or running, else null: the unique index below is the lock
    Column("owner", String(255)),  # the process that works on it
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("cancelled_by", String(64)),
    Column("channel", String(32)),  # where it is told; empty where nobody is to be told
    Column("decided", JSON),  # by whom, and what, after the report
)
Index("uq_runs_open", runs.c.open, unique=True)

# What each worker has in memory: the newest promotion says what it should have.
workers = Table(
    "workers",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("version", Integer, nullable=False),  # 0: none yet
    Column("since", DateTime(timezone=True), nullable=False),  # that version was served without a break
    Column("refused", JSON, nullable=False),  # versions that it could not load
    Column("seen_at", DateTime(timezone=True), nullable=False),  # last sign of life
)

# The live version's lexical model, fitted anew from everything that people judged until then.
refits = Table(
    "refits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("learnt", String(64), nullable=False),  # what there was to learn from, as a fingerprint (`refits.Refits.learnable`)
    Column("claimed_until", DateTime(timezone=True), nullable=False),  # whoever fits it has so much time
    Column("made_at", DateTime(timezone=True)),
    Column("corrections", Integer),  # judged messages that the version itself has not learnt from
    Column("loss_before", Float),  # of the lexical model on dev, nats a label of a text
    Column("loss_after", Float),
    Column("corrected", LargeBinary),  # empty: it does not serve
    UniqueConstraint("version", "learnt"),
)
