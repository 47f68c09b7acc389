SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.tally_gestures_delete() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into tallies (team, shard, gestures) select team, id % 8, -1 * count(*) from changed group by team, id % 8 order by team, id % 8 on conflict (team, shard) do update set gestures = tallies.gestures + excluded.gestures; return null; end $$;
CREATE FUNCTION public.tally_gestures_insert() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into tallies (team, shard, gestures) select team, id % 8, 1 * count(*) from changed group by team, id % 8 order by team, id % 8 on conflict (team, shard) do update set gestures = tallies.gestures + excluded.gestures; return null; end $$;
CREATE FUNCTION public.tally_messages_delete() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into tallies (team, shard, messages) select team, id % 8, -1 * count(*) from changed group by team, id % 8 order by team, id % 8 on conflict (team, shard) do update set messages = tallies.messages + excluded.messages; return null; end $$;
CREATE FUNCTION public.tally_messages_insert() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ begin insert into tallies (team, shard, messages) select team, id % 8, 1 * count(*) from changed group by team, id % 8 order by team, id % 8 on conflict (team, shard) do update set messages = tallies.messages + excluded.messages; return null; end $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.channels (
    team character varying(32) NOT NULL,
    channel character varying(32) NOT NULL,
    mode character varying(16) NOT NULL,
    seeds boolean NOT NULL
);
CREATE TABLE public.examples (
    text_key character varying(64) NOT NULL,
    text text NOT NULL,
    labels json NOT NULL,
    unknown json NOT NULL,
    saved_at timestamp with time zone NOT NULL
);
CREATE TABLE public.forgettings (
    id integer NOT NULL,
    team character varying(32) NOT NULL,
    "user" character varying(32),
    message_id integer,
    requested_by character varying(32) NOT NULL,
    versions json NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    judgements integer DEFAULT 0 NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone
);
CREATE SEQUENCE public.forgettings_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.forgettings_id_seq OWNED BY public.forgettings.id;
CREATE TABLE public.gestures (
    id integer NOT NULL,
    key character varying(64) NOT NULL,
    team character varying(32) NOT NULL,
    channel character varying(32) NOT NULL,
    item_ts character varying(64) NOT NULL,
    "user" character varying(32) NOT NULL,
    handle character varying(255) NOT NULL,
    at bigint NOT NULL,
    kind character varying(16) NOT NULL,
    labels json NOT NULL,
    silent json NOT NULL,
    withdrawn boolean NOT NULL,
    via character varying(16) NOT NULL,
    prediction_id integer,
    note text,
    saved_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.gestures_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gestures_id_seq OWNED BY public.gestures.id;
CREATE TABLE public.label_events (
    id integer NOT NULL,
    event json NOT NULL
);
CREATE SEQUENCE public.label_events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.label_events_id_seq OWNED BY public.label_events.id;
CREATE TABLE public.learnt (
    run_id integer NOT NULL,
    text_id character varying(160) NOT NULL
);
CREATE TABLE public.messages (
    id integer NOT NULL,
    team character varying(32) NOT NULL,
    channel character varying(32) NOT NULL,
    ts character varying(64) NOT NULL,
    thread_ts character varying(64),
    "user" character varying(32) NOT NULL,
    text text NOT NULL,
    source character varying(16) NOT NULL,
    response_url text,
    received_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    revision integer NOT NULL,
    edited_at bigint DEFAULT '0'::bigint NOT NULL,
    state integer NOT NULL,
    owed character varying(16) NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    blind boolean DEFAULT false NOT NULL
);
CREATE SEQUENCE public.messages_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.messages_id_seq OWNED BY public.messages.id;
CREATE TABLE public.people (
    team character varying(32) NOT NULL,
    "user" character varying(32) NOT NULL,
    may_judge boolean NOT NULL,
    expert boolean NOT NULL,
    looked_at timestamp with time zone NOT NULL,
    told_at timestamp with time zone
);
CREATE TABLE public.predictions (
    id integer NOT NULL,
    message_id integer NOT NULL,
    revision integer NOT NULL,
    version integer NOT NULL,
    prediction json NOT NULL,
    model_s double precision NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.predictions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.predictions_id_seq OWNED BY public.predictions.id;
CREATE TABLE public.promotions (
    id integer NOT NULL,
    version integer NOT NULL,
    promoted_by character varying(64) NOT NULL,
    reason text NOT NULL,
    promoted_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.promotions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.promotions_id_seq OWNED BY public.promotions.id;
CREATE TABLE public.replies (
    message_id integer NOT NULL,
    ts character varying(64),
    shown integer NOT NULL,
    claimed_by character varying(64),
    claimed_until timestamp with time zone,
    posted_at timestamp with time zone,
    drawn_at timestamp with time zone,
    asked json,
    digest_ts character varying(64)
);
CREATE TABLE public.runs (
    id integer NOT NULL,
    requested_by character varying(64) NOT NULL,
    status character varying(16) NOT NULL,
    progress json,
    version integer,
    error text,
    requested_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    open boolean,
    dry boolean DEFAULT false NOT NULL,
    report json,
    test_texts integer,
    judgements integer DEFAULT 0 NOT NULL,
    owner character varying(255),
    attempts integer DEFAULT 0 NOT NULL,
    cancelled_by character varying(64),
    team character varying(32),
    channel character varying(32),
    status_ts character varying(64),
    report_ts character varying(64),
    reporting_at timestamp with time zone,
    told_at timestamp with time zone,
    watcher character varying(32),
    watched_at timestamp with time zone
);
CREATE SEQUENCE public.runs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.runs_id_seq OWNED BY public.runs.id;
CREATE TABLE public.sides (
    text_key character varying(64) NOT NULL,
    side character varying(8) NOT NULL
);
CREATE TABLE public.tallies (
    team character varying(32) NOT NULL,
    shard integer NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    gestures integer DEFAULT 0 NOT NULL
);
CREATE TABLE public.versions (
    number integer NOT NULL,
    folder text NOT NULL,
    card json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    run_id integer,
    removed_at timestamp with time zone
);
CREATE SEQUENCE public.versions_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.versions_number_seq OWNED BY public.versions.number;
CREATE TABLE public.workspace (
    id integer NOT NULL,
    team character varying(32) NOT NULL
);
CREATE SEQUENCE public.workspace_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.workspace_id_seq OWNED BY public.workspace.id;
CREATE TABLE public.workspaces (
    team character varying(32) NOT NULL,
    retention_days integer,
    retention_corrected_days integer
);
ALTER TABLE ONLY public.forgettings ALTER COLUMN id SET DEFAULT nextval('public.forgettings_id_seq'::regclass);
ALTER TABLE ONLY public.gestures ALTER COLUMN id SET DEFAULT nextval('public.gestures_id_seq'::regclass);
ALTER TABLE ONLY public.label_events ALTER COLUMN id SET DEFAULT nextval('public.label_events_id_seq'::regclass);
ALTER TABLE ONLY public.messages ALTER COLUMN id SET DEFAULT nextval('public.messages_id_seq'::regclass);
ALTER TABLE ONLY public.predictions ALTER COLUMN id SET DEFAULT nextval('public.predictions_id_seq'::regclass);
ALTER TABLE ONLY public.promotions ALTER COLUMN id SET DEFAULT nextval('public.promotions_id_seq'::regclass);
ALTER TABLE ONLY public.runs ALTER COLUMN id SET DEFAULT nextval('public.runs_id_seq'::regclass);
ALTER TABLE ONLY public.versions ALTER COLUMN number SET DEFAULT nextval('public.versions_number_seq'::regclass);
ALTER TABLE ONLY public.workspace ALTER COLUMN id SET DEFAULT nextval('public.workspace_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0006');
INSERT INTO public.channels VALUES ('T0SIMULADOR', 'C0SIMUATENCION', 'auto', false);
INSERT INTO public.channels VALUES ('T0SIMULADOR', 'C0SIMUFRAUDES', 'mention', true);
INSERT INTO public.examples VALUES ('0000000000000000000000000000000000000000000000000000000000000000', 'texto importado', '["app"]', '["fraude"]', '2026-11-24 17:50:09.808815+00');
INSERT INTO public.forgettings VALUES (1, 'T0SIMULADOR', NULL, 19, 'U0SIMULUIS', '[]', 0, 0, '2026-11-24 17:50:09.817501+00', NULL);
INSERT INTO public.gestures VALUES (1, 'e44519775a9a841d089177c327758fd7f2d6d47c81db1b3762221ed1829a6502', 'T0SIMULADOR', 'C0SIMUATENCION', '1790000008.000100', 'U0SIMULUIS', 'U0SIMULUIS8', 1795000000000008, 'none', '[]', '[]', false, 'reaction', 7, NULL, '2026-11-24 17:50:09.312856+00');
INSERT INTO public.gestures VALUES (2, '217eab8d69cddef2960e68c9fb484355139bd048e7d9e9dd9e5e2f62c3adffe7', 'T0SIMULADOR', 'C0SIMUATENCION', '1790000018.000100', 'U0SIMULUIS', 'U0SIMULUIS18', 1795000000000018, 'label', '["app"]', '[]', false, 'reaction', 16, NULL, '2026-11-24 17:50:09.617654+00');
INSERT INTO public.gestures VALUES (3, 'b5f67f023d8e05b276ff485694a7522da69bf07644f0b30643c609adea2df155', 'T0SIMULADOR', 'C0SIMUATENCION', '1790000018.000100', 'U0SIMUMARIA', 'U0SIMUMARIA18', 1795000000000018, 'none', '[]', '[]', false, 'reaction', 16, NULL, '2026-11-24 17:50:09.623254+00');
INSERT INTO public.gestures VALUES (4, '01dc504b1723af22f8b39d801d07a32e49ce9ed3f4fc4e966e9f3fc2d9c3442d', 'T0SIMULADOR', 'C0SIMUFRAUDES', '1790000021.000500', 'U0SIMULUIS', 'r/21', 1795000000000021, 'label', '["fraude"]', '[]', false, 'reaction', 18, 'visto con el equipo', '2026-11-24 17:50:09.735404+00');
INSERT INTO public.gestures VALUES (5, 'ea475f14082f4b67821f1d6f71498f633d2a99f392b365baa18373e9aee3a517', 'T0SIMULADOR', 'C0SIMUATENCION', '1790000001.000100', 'U0SIMULUIS', 'U0SIMULUIS1', 1795000000000001, 'correct', '[]', '[]', false, 'reaction', 1, NULL, '2026-11-24 17:50:09.763357+00');
INSERT INTO public.label_events VALUES (1, '{"kind": "change", "name": "app", "label": {"name": "app", "title": "Aplicaci\u00f3n", "title_en": "App and web", "emoji": "iphone", "description": "La aplicaci\u00f3n del m\u00f3vil o la banca web: fallos, lentitud, actualizaciones, funciones que no aparecen."}, "into": null, "at": 1, "by": "U0SIMUANA"}');
INSERT INTO public.learnt VALUES (1, 'T0SIMULADOR:C0SIMUATENCION:1790000001.000100');
INSERT INTO public.learnt VALUES (2, 'T0SIMULADOR:C0SIMUATENCION:1790000001.000100');
INSERT INTO public.messages VALUES (2, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000002.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 2', 'channel', NULL, '2026-11-24 17:50:09.192199+00', NULL, 1, 0, 1, 'prediction', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (3, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000003.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 3', 'channel', NULL, '2026-11-24 17:50:09.193444+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (4, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000004.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 4', 'channel', NULL, '2026-11-24 17:50:09.206745+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (5, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000005.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 5', 'channel', NULL, '2026-11-24 17:50:09.217326+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (6, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000006.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 6', 'channel', NULL, '2026-11-24 17:50:09.231577+00', NULL, 1, 0, 2, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (7, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000007.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 7', 'channel', NULL, '2026-11-24 17:50:09.259602+00', NULL, 1, 0, 2, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (8, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000008.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 8', 'channel', NULL, '2026-11-24 17:50:09.287635+00', NULL, 1, 0, 3, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (9, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000009.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 9', 'channel', NULL, '2026-11-24 17:50:09.377016+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (10, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000010.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 10', 'channel', NULL, '2026-11-24 17:50:09.398485+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (11, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000011.000100', NULL, 'U0SIMUANA', '', 'channel', NULL, '2026-11-24 17:50:09.417628+00', '2026-11-24 17:50:09.436148+00', 1, 0, 3, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (12, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000012.000100', NULL, 'U0SIMUANA', '', 'channel', NULL, '2026-11-24 17:50:09.463018+00', '2026-11-24 17:50:09.477783+00', 1, 0, 3, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (13, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000013.000100', NULL, '', '', 'channel', NULL, '2026-11-24 17:50:09.484309+00', '2026-11-24 17:50:09.484311+00', 1, 0, 1, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (14, 'T0SIMULADOR', 'C0SIMUATENCION', 'command-0e', NULL, 'U0SIMUANA', 'perdí la tarjeta 14', 'command', NULL, '2026-11-24 17:50:09.491009+00', NULL, 1, 0, 2, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (15, 'T0SIMULADOR', 'C0SIMUATENCION', 'command-0f', NULL, 'U0SIMUANA', 'perdí la tarjeta 15', 'command', 'https://hooks.slack.com/commands/T0/1/x', '2026-11-24 17:50:09.521633+00', NULL, 1, 0, 2, 'reply', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (16, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000016.000100', NULL, 'U0SIMUANA', 'otra cosa', 'channel', NULL, '2026-11-24 17:50:09.527446+00', NULL, 2, 1795000000000000, 3, 'prediction', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (17, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000017.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 17', 'channel', NULL, '2026-11-24 17:50:09.555917+00', NULL, 1, 0, 2, 'nothing', 0, '2026-11-24 17:49:09.939223+00', true);
INSERT INTO public.messages VALUES (18, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000018.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 18', 'channel', NULL, '2026-11-24 17:50:09.58871+00', NULL, 1, 0, 4, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (19, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000019.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 19', 'channel', NULL, '2026-11-24 17:50:09.643493+00', NULL, 1, 0, 2, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (20, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000020.000100', NULL, 'U0SIMUANA', '', 'channel', NULL, '2026-08-17 17:50:09.66651+00', NULL, 1, 0, 1, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (21, 'T0SIMULADOR', 'C0SIMUFRAUDES', '1790000021.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 21', 'channel', NULL, '2026-11-24 17:50:09.703457+00', NULL, 1, 0, 3, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.messages VALUES (1, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000001.000100', NULL, 'U0SIMUANA', 'perdí la tarjeta 1', 'channel', NULL, '2026-11-24 17:50:09.147833+00', NULL, 1, 0, 3, 'nothing', 0, '2026-11-24 17:49:09.939223+00', false);
INSERT INTO public.people VALUES ('T0SIMULADOR', 'U0SIMUANA', true, true, '2026-11-24 17:50:09.788861+00', NULL);
INSERT INTO public.people VALUES ('T0SIMULADOR', 'U0SIMULUIS', true, false, '2026-11-24 17:50:09.791038+00', NULL);
INSERT INTO public.people VALUES ('T0SIMULADOR', 'U0SIMUMARIA', false, false, '2026-11-24 17:50:09.79184+00', NULL);
INSERT INTO public.predictions VALUES (1, 1, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.155469+00');
INSERT INTO public.predictions VALUES (2, 3, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.196123+00');
INSERT INTO public.predictions VALUES (3, 4, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.20978+00');
INSERT INTO public.predictions VALUES (4, 5, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.223561+00');
INSERT INTO public.predictions VALUES (5, 6, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.232914+00');
INSERT INTO public.predictions VALUES (6, 7, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.260946+00');
INSERT INTO public.predictions VALUES (7, 8, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.28915+00');
INSERT INTO public.predictions VALUES (8, 9, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.387166+00');
INSERT INTO public.predictions VALUES (9, 10, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.399422+00');
INSERT INTO public.predictions VALUES (10, 11, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.423875+00');
INSERT INTO public.predictions VALUES (11, 12, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.464246+00');
INSERT INTO public.predictions VALUES (12, 14, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.492184+00');
INSERT INTO public.predictions VALUES (13, 15, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.522598+00');
INSERT INTO public.predictions VALUES (14, 16, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.531001+00');
INSERT INTO public.predictions VALUES (15, 17, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.56399+00');
INSERT INTO public.predictions VALUES (16, 18, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.589712+00');
INSERT INTO public.predictions VALUES (17, 19, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.644804+00');
INSERT INTO public.predictions VALUES (18, 21, 1, 1, '{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}', 0.01, '2026-11-24 17:50:09.704743+00');
INSERT INTO public.promotions VALUES (1, 1, 'U0SIMULUIS', 'better', '2026-11-24 17:50:09.869103+00');
INSERT INTO public.replies VALUES (4, NULL, 0, 'died', '2026-11-24 17:50:09.215417+00', NULL, NULL, NULL, NULL);
INSERT INTO public.replies VALUES (6, NULL, 2, NULL, NULL, '2026-11-24 17:50:09.251447+00', '2026-11-24 17:50:09.251447+00', '[]', '1790000008.000900');
INSERT INTO public.replies VALUES (7, NULL, 2, NULL, NULL, '2026-11-24 17:50:09.279588+00', '2026-11-24 17:50:09.279588+00', '[]', '1790000008.000900');
INSERT INTO public.replies VALUES (8, NULL, 2, NULL, NULL, '2026-11-24 17:50:09.307634+00', '2026-11-24 17:50:09.307634+00', '[]', '1790000008.000900');
INSERT INTO public.replies VALUES (9, NULL, 0, 'died', '2026-11-24 17:50:09.396788+00', NULL, NULL, NULL, 'pending');
INSERT INTO public.replies VALUES (10, NULL, 0, 'died', '2026-11-24 17:50:09.407928+00', NULL, NULL, NULL, 'pending');
INSERT INTO public.replies VALUES (11, NULL, 3, NULL, NULL, '2026-11-24 17:50:09.434373+00', '2026-11-24 17:50:09.45517+00', '[]', NULL);
INSERT INTO public.replies VALUES (12, '1790000012.000500', 2, NULL, NULL, '2026-11-24 17:50:09.472414+00', '2026-11-24 17:50:09.472414+00', '[]', NULL);
INSERT INTO public.replies VALUES (14, NULL, 2, NULL, NULL, '2026-11-24 17:50:09.519801+00', '2026-11-24 17:50:09.519801+00', '[]', NULL);
INSERT INTO public.replies VALUES (16, '1790000016.000500', 2, NULL, NULL, '2026-11-24 17:50:09.548747+00', '2026-11-24 17:50:09.548747+00', '[]', NULL);
INSERT INTO public.replies VALUES (17, '1790000017.000500', 2, NULL, NULL, '2026-11-24 17:50:09.577723+00', '2026-11-24 17:50:09.577723+00', '[]', NULL);
INSERT INTO public.replies VALUES (18, '1790000018.000500', 4, NULL, NULL, '2026-11-24 17:50:09.605697+00', '2026-11-24 17:50:09.635637+00', '["app"]', NULL);
INSERT INTO public.replies VALUES (19, NULL, 2, NULL, NULL, '2026-11-24 17:50:09.660575+00', '2026-11-24 17:50:09.660575+00', '[]', NULL);
INSERT INTO public.replies VALUES (21, '1790000021.000500', 3, NULL, NULL, '2026-11-24 17:50:09.723735+00', '2026-11-24 17:50:09.760869+00', '[]', NULL);
INSERT INTO public.replies VALUES (1, '1790000001.000500', 3, NULL, NULL, '2026-11-24 17:50:09.187164+00', '2026-11-24 17:50:09.781937+00', '[]', NULL);
INSERT INTO public.runs VALUES (1, 'U0SIMULUIS', 'done', '{"stage": "training", "step": 5, "steps": 10, "epoch": 0, "loss": 0.4, "seconds_left": null, "note": null}', 1, NULL, '2026-11-24 17:50:09.827305+00', '2026-11-24 17:50:09.856689+00', NULL, false, '{"version": 1, "live": null, "comparison": {"texts": 100, "micro": {"value": 0.8, "low": 0.7, "high": 0.9}, "macro": {"value": 0.8, "low": 0.7, "high": 0.9}, "micro_gain": null, "macro_gain": null, "micro_floor": 0.7, "macro_floor": 0.6, "ece": 0.05, "ece_live": null, "per_label": {"reclamo": {"before": null, "after": 0.7, "support": 7}, "tarjeta": {"before": null, "after": 0.7, "support": 7}, "transferencia": {"before": null, "after": 0.7, "support": 7}, "fraude": {"before": null, "after": 0.7, "support": 7}, "app": {"before": null, "after": 0.7, "support": 7}, "acceso": {"before": null, "after": 0.7, "support": 7}, "prestamo": {"before": null, "after": 0.7, "support": 7}, "cuenta": {"before": null, "after": 0.7, "support": 7}, "comision": {"before": null, "after": 0.7, "support": 7}, "cajero": {"before": null, "after": 0.7, "support": 7}, "ahorro": {"before": null, "after": 0.7, "support": 7}, "agencia": {"before": null, "after": 0.7, "support": 7}, "urgente": {"before": null, "after": 0.7, "support": 7}, "agradecimiento": {"before": null, "after": 0.7, "support": 7}}}, "verdict": {"promote": true, "reasons": [{"code": "first", "good": true, "values": {}}]}, "promoted": true, "texts": {"train": 300, "dev": 50, "test": 100}, "corrections": 3, "judges": ["U0SIMULUIS", "U0SIMUANA"], "flips": [{"message_id": 1, "before": ["tarjeta"], "after": ["tarjeta", "app"]}, {"message_id": 21, "before": [], "after": ["fraude"]}], "blind": null, "uses": 0, "notes": [], "forms": []}', 100, 5, 'vm/29743/52ccde29', 1, NULL, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000100.000100', '1790000100.000700', NULL, '2026-11-24 17:50:09.86159+00', NULL, NULL);
INSERT INTO public.runs VALUES (2, 'U0SIMULUIS', 'done', '{"stage": "training", "step": 5, "steps": 10, "epoch": 0, "loss": 0.4, "seconds_left": null, "note": null}', 2, NULL, '2026-11-24 17:50:09.875627+00', '2026-11-24 17:50:09.898737+00', NULL, false, '{"version": 2, "live": null, "comparison": {"texts": 100, "micro": {"value": 0.8, "low": 0.7, "high": 0.9}, "macro": {"value": 0.8, "low": 0.7, "high": 0.9}, "micro_gain": null, "macro_gain": null, "micro_floor": 0.7, "macro_floor": 0.6, "ece": 0.05, "ece_live": null, "per_label": {"reclamo": {"before": null, "after": 0.7, "support": 7}, "tarjeta": {"before": null, "after": 0.7, "support": 7}, "transferencia": {"before": null, "after": 0.7, "support": 7}, "fraude": {"before": null, "after": 0.7, "support": 7}, "app": {"before": null, "after": 0.7, "support": 7}, "acceso": {"before": null, "after": 0.7, "support": 7}, "prestamo": {"before": null, "after": 0.7, "support": 7}, "cuenta": {"before": null, "after": 0.7, "support": 7}, "comision": {"before": null, "after": 0.7, "support": 7}, "cajero": {"before": null, "after": 0.7, "support": 7}, "ahorro": {"before": null, "after": 0.7, "support": 7}, "agencia": {"before": null, "after": 0.7, "support": 7}, "urgente": {"before": null, "after": 0.7, "support": 7}, "agradecimiento": {"before": null, "after": 0.7, "support": 7}}}, "verdict": {"promote": true, "reasons": [{"code": "first", "good": true, "values": {}}]}, "promoted": false, "texts": {"train": 300, "dev": 50, "test": 100}, "corrections": 3, "judges": ["U0SIMULUIS", "U0SIMUANA"], "flips": [{"message_id": 1, "before": ["tarjeta"], "after": ["tarjeta", "app"]}, {"message_id": 21, "before": [], "after": ["fraude"]}], "blind": null, "uses": 0, "notes": [], "forms": []}', 100, 5, 'vm/29743/a08aed06', 1, NULL, 'T0SIMULADOR', 'C0SIMUFRAUDES', '1790000200.000100', NULL, '2026-11-24 17:50:09.900566+00', NULL, NULL, NULL);
INSERT INTO public.runs VALUES (3, 'U0SIMULUIS', 'failed', NULL, NULL, 'no memory', '2026-11-24 17:50:09.902194+00', '2026-11-24 17:50:09.913652+00', NULL, false, NULL, NULL, 5, 'elsewhere/1/x', 1, NULL, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000300.000100', NULL, NULL, '2026-11-24 17:50:09.918404+00', NULL, NULL);
INSERT INTO public.runs VALUES (4, 'beto', 'failed', NULL, NULL, 'no memory', '2026-11-24 17:50:09.920803+00', '2026-11-24 17:50:09.925473+00', NULL, false, NULL, NULL, 5, 'elsewhere/1/x', 1, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-24 17:50:09.920803+00', NULL, NULL);
INSERT INTO public.runs VALUES (5, 'U0SIMUANA', 'running', NULL, NULL, NULL, '2026-11-24 17:50:09.93304+00', '2026-11-24 17:50:09.937911+00', true, false, NULL, NULL, 5, 'elsewhere/1/x', 1, NULL, 'T0SIMULADOR', 'C0SIMUATENCION', '1790000400.000100', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.sides VALUES ('0000000000000000000000000000000000000000000000000000000000000000', 'train');
INSERT INTO public.sides VALUES ('1111111111111111111111111111111111111111111111111111111111111111', 'test');
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 6, 2, 0);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 7, 2, 0);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 0, 2, 0);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 1, 3, 1);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 2, 3, 1);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 3, 3, 1);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 4, 3, 1);
INSERT INTO public.tallies VALUES ('T0SIMULADOR', 5, 3, 1);
INSERT INTO public.versions VALUES (1, 'v1', '{"version": 1, "base": "mini", "labels": ["reclamo", "tarjeta", "transferencia", "fraude", "app", "acceso", "prestamo", "cuenta", "comision", "cajero", "ahorro", "agencia", "urgente", "agradecimiento"], "thresholds": {"reclamo": 0.5, "tarjeta": 0.5, "transferencia": 0.5, "fraude": 0.5, "app": 0.5, "acceso": 0.5, "prestamo": 0.5, "cuenta": 0.5, "comision": 0.5, "cajero": 0.5, "ahorro": 0.5, "agencia": 0.5, "urgente": 0.5, "agradecimiento": 0.5}, "seed": 7, "settings": {"epochs": 5}, "data_sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "texts": {"train": 300, "dev": 50, "test": 100}, "scores": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "floor": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "seconds": 12.0, "created_at": "2026-11-01T10:00:00+00:00", "code_version": "532ec3a", "parent": null, "forms": []}', '2026-11-24 17:50:09.847894+00', 1, NULL);
INSERT INTO public.versions VALUES (2, 'v2', '{"version": 2, "base": "mini", "labels": ["reclamo", "tarjeta", "transferencia", "fraude", "app", "acceso", "prestamo", "cuenta", "comision", "cajero", "ahorro", "agencia", "urgente", "agradecimiento"], "thresholds": {"reclamo": 0.5, "tarjeta": 0.5, "transferencia": 0.5, "fraude": 0.5, "app": 0.5, "acceso": 0.5, "prestamo": 0.5, "cuenta": 0.5, "comision": 0.5, "cajero": 0.5, "ahorro": 0.5, "agencia": 0.5, "urgente": 0.5, "agradecimiento": 0.5}, "seed": 7, "settings": {"epochs": 5}, "data_sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "texts": {"train": 300, "dev": 50, "test": 100}, "scores": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "floor": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "seconds": 12.0, "created_at": "2026-11-01T10:00:00+00:00", "code_version": "532ec3a", "parent": null, "forms": []}', '2026-11-24 17:50:09.886838+00', 2, NULL);
INSERT INTO public.workspace VALUES (1, 'T0SIMULADOR');
INSERT INTO public.workspaces VALUES ('T0SIMULADOR', 365, NULL);
SELECT pg_catalog.setval('public.forgettings_id_seq', 1, true);
SELECT pg_catalog.setval('public.gestures_id_seq', 5, true);
SELECT pg_catalog.setval('public.label_events_id_seq', 1, true);
SELECT pg_catalog.setval('public.messages_id_seq', 21, true);
SELECT pg_catalog.setval('public.predictions_id_seq', 18, true);
SELECT pg_catalog.setval('public.promotions_id_seq', 1, true);
SELECT pg_catalog.setval('public.runs_id_seq', 5, true);
SELECT pg_catalog.setval('public.versions_number_seq', 1, false);
SELECT pg_catalog.setval('public.workspace_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.channels
    ADD CONSTRAINT pk_channels PRIMARY KEY (team, channel);
ALTER TABLE ONLY public.examples
    ADD CONSTRAINT pk_examples PRIMARY KEY (text_key);
ALTER TABLE ONLY public.forgettings
    ADD CONSTRAINT pk_forgettings PRIMARY KEY (id);
ALTER TABLE ONLY public.gestures
    ADD CONSTRAINT pk_gestures PRIMARY KEY (id);
ALTER TABLE ONLY public.label_events
    ADD CONSTRAINT pk_label_events PRIMARY KEY (id);
ALTER TABLE ONLY public.learnt
    ADD CONSTRAINT pk_learnt PRIMARY KEY (run_id, text_id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT pk_messages PRIMARY KEY (id);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT pk_people PRIMARY KEY (team, "user");
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT pk_predictions PRIMARY KEY (id);
ALTER TABLE ONLY public.promotions
    ADD CONSTRAINT pk_promotions PRIMARY KEY (id);
ALTER TABLE ONLY public.replies
    ADD CONSTRAINT pk_replies PRIMARY KEY (message_id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT pk_runs PRIMARY KEY (id);
ALTER TABLE ONLY public.sides
    ADD CONSTRAINT pk_sides PRIMARY KEY (text_key);
ALTER TABLE ONLY public.tallies
    ADD CONSTRAINT pk_tallies PRIMARY KEY (team, shard);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT pk_versions PRIMARY KEY (number);
ALTER TABLE ONLY public.workspace
    ADD CONSTRAINT pk_workspace PRIMARY KEY (id);
ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT pk_workspaces PRIMARY KEY (team);
ALTER TABLE ONLY public.gestures
    ADD CONSTRAINT uq_gestures_key UNIQUE (key);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT uq_messages_team UNIQUE (team, channel, ts);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT uq_predictions_message_id UNIQUE (message_id, revision, version);
CREATE INDEX ix_gestures_item ON public.gestures USING btree (team, channel, item_ts);
CREATE INDEX ix_gestures_user ON public.gestures USING btree (team, "user", at);
CREATE INDEX ix_learnt_text_id ON public.learnt USING btree (text_id);
CREATE INDEX ix_messages_blind ON public.messages USING btree (id) WHERE blind;
CREATE INDEX ix_messages_kept ON public.messages USING btree (team, received_at) WHERE (text <> ''::text);
CREATE INDEX ix_messages_owed ON public.messages USING btree (retry_at) WHERE ((owed)::text <> 'nothing'::text);
CREATE INDEX ix_messages_user ON public.messages USING btree (team, "user");
CREATE INDEX ix_replies_ts ON public.replies USING btree (ts);
CREATE INDEX ix_runs_status ON public.runs USING btree (team, channel, status_ts);
CREATE UNIQUE INDEX uq_runs_open ON public.runs USING btree (open);
CREATE UNIQUE INDEX uq_versions_run_id ON public.versions USING btree (run_id);
CREATE TRIGGER tally_gestures_delete AFTER DELETE ON public.gestures REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.tally_gestures_delete();
CREATE TRIGGER tally_gestures_insert AFTER INSERT ON public.gestures REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.tally_gestures_insert();
CREATE TRIGGER tally_messages_delete AFTER DELETE ON public.messages REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.tally_messages_delete();
CREATE TRIGGER tally_messages_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.tally_messages_insert();
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT fk_predictions_message_id FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.promotions
    ADD CONSTRAINT fk_promotions_version FOREIGN KEY (version) REFERENCES public.versions(number);
ALTER TABLE ONLY public.replies
    ADD CONSTRAINT fk_replies_message_id FOREIGN KEY (message_id) REFERENCES public.messages(id) ON DELETE CASCADE;
