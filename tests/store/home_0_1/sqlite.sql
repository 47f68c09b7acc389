BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE channels (
	team VARCHAR(32) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	seeds BOOLEAN NOT NULL, 
	CONSTRAINT pk_channels PRIMARY KEY (team, channel)
);
INSERT INTO "channels" VALUES('T0SIMULADOR','C0SIMUATENCION','auto',0);
INSERT INTO "channels" VALUES('T0SIMULADOR','C0SIMUFRAUDES','mention',1);
CREATE TABLE examples (
	text_key VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	labels JSON NOT NULL, 
	unknown JSON NOT NULL, 
	saved_at DATETIME NOT NULL, 
	CONSTRAINT pk_examples PRIMARY KEY (text_key)
);
INSERT INTO "examples" VALUES('0000000000000000000000000000000000000000000000000000000000000000','texto importado','["app"]','["fraude"]','2026-11-24 17:50:04.978285');
CREATE TABLE forgettings (
	id INTEGER NOT NULL, 
	team VARCHAR(32) NOT NULL, 
	user VARCHAR(32), 
	message_id INTEGER, 
	requested_by VARCHAR(32) NOT NULL, 
	versions JSON NOT NULL, 
	messages INTEGER DEFAULT '0' NOT NULL, 
	judgements INTEGER DEFAULT '0' NOT NULL, 
	asked_at DATETIME NOT NULL, 
	done_at DATETIME, 
	CONSTRAINT pk_forgettings PRIMARY KEY (id)
);
INSERT INTO "forgettings" VALUES(1,'T0SIMULADOR',NULL,19,'U0SIMULUIS','[]',0,0,'2026-11-24 17:50:04.991029',NULL);
CREATE TABLE gestures (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	team VARCHAR(32) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	item_ts VARCHAR(64) NOT NULL, 
	user VARCHAR(32) NOT NULL, 
	handle VARCHAR(255) NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	labels JSON NOT NULL, 
	silent JSON NOT NULL, 
	withdrawn BOOLEAN NOT NULL, 
	via VARCHAR(16) NOT NULL, 
	prediction_id INTEGER, 
	note TEXT, 
	saved_at DATETIME NOT NULL, 
	CONSTRAINT pk_gestures PRIMARY KEY (id), 
	CONSTRAINT uq_gestures_key UNIQUE ("key")
);
INSERT INTO "gestures" VALUES(1,'e44519775a9a841d089177c327758fd7f2d6d47c81db1b3762221ed1829a6502','T0SIMULADOR','C0SIMUATENCION','1790000008.000100','U0SIMULUIS','U0SIMULUIS8',1795000000000008,'none','[]','[]',0,'reaction',7,NULL,'2026-11-24 17:50:04.200111');
INSERT INTO "gestures" VALUES(2,'217eab8d69cddef2960e68c9fb484355139bd048e7d9e9dd9e5e2f62c3adffe7','T0SIMULADOR','C0SIMUATENCION','1790000018.000100','U0SIMULUIS','U0SIMULUIS18',1795000000000018,'label','["app"]','[]',0,'reaction',16,NULL,'2026-11-24 17:50:04.723740');
INSERT INTO "gestures" VALUES(3,'b5f67f023d8e05b276ff485694a7522da69bf07644f0b30643c609adea2df155','T0SIMULADOR','C0SIMUATENCION','1790000018.000100','U0SIMUMARIA','U0SIMUMARIA18',1795000000000018,'none','[]','[]',0,'reaction',16,NULL,'2026-11-24 17:50:04.727073');
INSERT INTO "gestures" VALUES(4,'01dc504b1723af22f8b39d801d07a32e49ce9ed3f4fc4e966e9f3fc2d9c3442d','T0SIMULADOR','C0SIMUFRAUDES','1790000021.000500','U0SIMULUIS','r/21',1795000000000021,'label','["fraude"]','[]',0,'reaction',18,'visto con el equipo','2026-11-24 17:50:04.921717');
INSERT INTO "gestures" VALUES(5,'ea475f14082f4b67821f1d6f71498f633d2a99f392b365baa18373e9aee3a517','T0SIMULADOR','C0SIMUATENCION','1790000001.000100','U0SIMULUIS','U0SIMULUIS1',1795000000000001,'correct','[]','[]',0,'reaction',1,NULL,'2026-11-24 17:50:04.936404');
CREATE TABLE label_events (
	id INTEGER NOT NULL, 
	event JSON NOT NULL, 
	CONSTRAINT pk_label_events PRIMARY KEY (id)
);
INSERT INTO "label_events" VALUES(1,'{"kind": "change", "name": "app", "label": {"name": "app", "title": "Aplicaci\u00f3n", "title_en": "App and web", "emoji": "iphone", "description": "La aplicaci\u00f3n del m\u00f3vil o la banca web: fallos, lentitud, actualizaciones, funciones que no aparecen."}, "into": null, "at": 1, "by": "U0SIMUANA"}');
CREATE TABLE learnt (
	run_id INTEGER NOT NULL, 
	text_id VARCHAR(160) NOT NULL, 
	CONSTRAINT pk_learnt PRIMARY KEY (run_id, text_id)
);
INSERT INTO "learnt" VALUES(1,'T0SIMULADOR:C0SIMUATENCION:1790000001.000100');
INSERT INTO "learnt" VALUES(2,'T0SIMULADOR:C0SIMUATENCION:1790000001.000100');
CREATE TABLE messages (
	id INTEGER NOT NULL, 
	team VARCHAR(32) NOT NULL, 
	channel VARCHAR(32) NOT NULL, 
	ts VARCHAR(64) NOT NULL, 
	thread_ts VARCHAR(64), 
	user VARCHAR(32) NOT NULL, 
	text TEXT NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	response_url TEXT, 
	received_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	revision INTEGER NOT NULL, 
	edited_at BIGINT DEFAULT '0' NOT NULL, 
	state INTEGER NOT NULL, 
	owed VARCHAR(16) NOT NULL, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	retry_at DATETIME NOT NULL, blind BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (id), 
	CONSTRAINT uq_messages_team UNIQUE (team, channel, ts)
);
INSERT INTO "messages" VALUES(1,'T0SIMULADOR','C0SIMUATENCION','1790000001.000100',NULL,'U0SIMUANA','perdí la tarjeta 1','channel',NULL,'2026-11-24 17:50:03.949202',NULL,1,0,3,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(2,'T0SIMULADOR','C0SIMUATENCION','1790000002.000100',NULL,'U0SIMUANA','perdí la tarjeta 2','channel',NULL,'2026-11-24 17:50:03.999356',NULL,1,0,1,'prediction',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(3,'T0SIMULADOR','C0SIMUATENCION','1790000003.000100',NULL,'U0SIMUANA','perdí la tarjeta 3','channel',NULL,'2026-11-24 17:50:04.007332',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(4,'T0SIMULADOR','C0SIMUATENCION','1790000004.000100',NULL,'U0SIMUANA','perdí la tarjeta 4','channel',NULL,'2026-11-24 17:50:04.027189',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(5,'T0SIMULADOR','C0SIMUATENCION','1790000005.000100',NULL,'U0SIMUANA','perdí la tarjeta 5','channel',NULL,'2026-11-24 17:50:04.039113',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(6,'T0SIMULADOR','C0SIMUATENCION','1790000006.000100',NULL,'U0SIMUANA','perdí la tarjeta 6','channel',NULL,'2026-11-24 17:50:04.047105',NULL,1,0,2,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(7,'T0SIMULADOR','C0SIMUATENCION','1790000007.000100',NULL,'U0SIMUANA','perdí la tarjeta 7','channel',NULL,'2026-11-24 17:50:04.083206',NULL,1,0,2,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(8,'T0SIMULADOR','C0SIMUATENCION','1790000008.000100',NULL,'U0SIMUANA','perdí la tarjeta 8','channel',NULL,'2026-11-24 17:50:04.155294',NULL,1,0,3,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(9,'T0SIMULADOR','C0SIMUATENCION','1790000009.000100',NULL,'U0SIMUANA','perdí la tarjeta 9','channel',NULL,'2026-11-24 17:50:04.207293',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(10,'T0SIMULADOR','C0SIMUATENCION','1790000010.000100',NULL,'U0SIMUANA','perdí la tarjeta 10','channel',NULL,'2026-11-24 17:50:04.235333',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(11,'T0SIMULADOR','C0SIMUATENCION','1790000011.000100',NULL,'U0SIMUANA','','channel',NULL,'2026-11-24 17:50:04.303130','2026-11-24 17:50:04.319062',1,0,3,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(12,'T0SIMULADOR','C0SIMUATENCION','1790000012.000100',NULL,'U0SIMUANA','','channel',NULL,'2026-11-24 17:50:04.363394','2026-11-24 17:50:04.403258',1,0,3,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(13,'T0SIMULADOR','C0SIMUATENCION','1790000013.000100',NULL,'','','channel',NULL,'2026-11-24 17:50:04.407729','2026-11-24 17:50:04.407730',1,0,1,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(14,'T0SIMULADOR','C0SIMUATENCION','command-0e',NULL,'U0SIMUANA','perdí la tarjeta 14','command',NULL,'2026-11-24 17:50:04.415142',NULL,1,0,2,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(15,'T0SIMULADOR','C0SIMUATENCION','command-0f',NULL,'U0SIMUANA','perdí la tarjeta 15','command','https://hooks.slack.com/commands/T0/1/x','2026-11-24 17:50:04.429414',NULL,1,0,2,'reply',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(16,'T0SIMULADOR','C0SIMUATENCION','1790000016.000100',NULL,'U0SIMUANA','otra cosa','channel',NULL,'2026-11-24 17:50:04.623468',NULL,2,1795000000000000,3,'prediction',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(17,'T0SIMULADOR','C0SIMUATENCION','1790000017.000100',NULL,'U0SIMUANA','perdí la tarjeta 17','channel',NULL,'2026-11-24 17:50:04.644287',NULL,1,0,2,'nothing',0,'2026-11-24 17:49:05.235183+00:00',1);
INSERT INTO "messages" VALUES(18,'T0SIMULADOR','C0SIMUATENCION','1790000018.000100',NULL,'U0SIMUANA','perdí la tarjeta 18','channel',NULL,'2026-11-24 17:50:04.667728',NULL,1,0,4,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(19,'T0SIMULADOR','C0SIMUATENCION','1790000019.000100',NULL,'U0SIMUANA','perdí la tarjeta 19','channel',NULL,'2026-11-24 17:50:04.857057',NULL,1,0,2,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(20,'T0SIMULADOR','C0SIMUATENCION','1790000020.000100',NULL,'U0SIMUANA','','channel',NULL,'2026-08-17 17:50:04.874120+00:00',NULL,1,0,1,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
INSERT INTO "messages" VALUES(21,'T0SIMULADOR','C0SIMUFRAUDES','1790000021.000100',NULL,'U0SIMUANA','perdí la tarjeta 21','channel',NULL,'2026-11-24 17:50:04.893709',NULL,1,0,3,'nothing',0,'2026-11-24 17:49:05.235183+00:00',0);
CREATE TABLE people (
	team VARCHAR(32) NOT NULL, 
	user VARCHAR(32) NOT NULL, 
	may_judge BOOLEAN NOT NULL, 
	expert BOOLEAN NOT NULL, 
	looked_at DATETIME NOT NULL, 
	told_at DATETIME, 
	CONSTRAINT pk_people PRIMARY KEY (team, user)
);
INSERT INTO "people" VALUES('T0SIMULADOR','U0SIMUANA',1,1,'2026-11-24 17:50:04.948967',NULL);
INSERT INTO "people" VALUES('T0SIMULADOR','U0SIMULUIS',1,0,'2026-11-24 17:50:04.958171',NULL);
INSERT INTO "people" VALUES('T0SIMULADOR','U0SIMUMARIA',0,0,'2026-11-24 17:50:04.964463',NULL);
CREATE TABLE predictions (
	id INTEGER NOT NULL, 
	message_id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	prediction JSON NOT NULL, 
	model_s FLOAT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_predictions PRIMARY KEY (id), 
	CONSTRAINT fk_predictions_message_id FOREIGN KEY(message_id) REFERENCES messages (id) ON DELETE CASCADE, 
	CONSTRAINT uq_predictions_message_id UNIQUE (message_id, revision, version)
);
INSERT INTO "predictions" VALUES(1,1,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:03.963251');
INSERT INTO "predictions" VALUES(2,3,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.015212');
INSERT INTO "predictions" VALUES(3,4,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.031050');
INSERT INTO "predictions" VALUES(4,5,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.043043');
INSERT INTO "predictions" VALUES(5,6,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.050547');
INSERT INTO "predictions" VALUES(6,7,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.091097');
INSERT INTO "predictions" VALUES(7,8,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.157525');
INSERT INTO "predictions" VALUES(8,9,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.211211');
INSERT INTO "predictions" VALUES(9,10,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.239159');
INSERT INTO "predictions" VALUES(10,11,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.307051');
INSERT INTO "predictions" VALUES(11,12,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.371189');
INSERT INTO "predictions" VALUES(12,14,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.419036');
INSERT INTO "predictions" VALUES(13,15,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.544401');
INSERT INTO "predictions" VALUES(14,16,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.627145');
INSERT INTO "predictions" VALUES(15,17,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.649353');
INSERT INTO "predictions" VALUES(16,18,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.669770');
INSERT INTO "predictions" VALUES(17,19,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.860303');
INSERT INTO "predictions" VALUES(18,21,1,1,'{"version": 1, "base": "mini", "scores": {"reclamo": 0.1, "tarjeta": 0.9, "transferencia": 0.1, "fraude": 0.1, "app": 0.1, "acceso": 0.1, "prestamo": 0.1, "cuenta": 0.1, "comision": 0.1, "cajero": 0.1, "ahorro": 0.1, "agencia": 0.1, "urgente": 0.1, "agradecimiento": 0.1}, "labels": ["tarjeta"], "truncated": false}',0.01,'2026-11-24 17:50:04.902505');
CREATE TABLE promotions (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	promoted_by VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	promoted_at DATETIME NOT NULL, 
	CONSTRAINT pk_promotions PRIMARY KEY (id), 
	CONSTRAINT fk_promotions_version FOREIGN KEY(version) REFERENCES versions (number)
);
INSERT INTO "promotions" VALUES(1,1,'U0SIMULUIS','better','2026-11-24 17:50:05.076186');
CREATE TABLE replies (
	message_id INTEGER NOT NULL, 
	ts VARCHAR(64), 
	shown INTEGER NOT NULL, 
	claimed_by VARCHAR(64), 
	claimed_until DATETIME, 
	posted_at DATETIME, 
	drawn_at DATETIME, 
	asked JSON, digest_ts VARCHAR(64), 
	CONSTRAINT pk_replies PRIMARY KEY (message_id), 
	CONSTRAINT fk_replies_message_id FOREIGN KEY(message_id) REFERENCES messages (id) ON DELETE CASCADE
);
INSERT INTO "replies" VALUES(1,'1790000001.000500',3,NULL,NULL,'2026-11-24 17:50:03.987908','2026-11-24 17:50:04.947233','[]',NULL);
INSERT INTO "replies" VALUES(4,NULL,0,'died','2026-11-24 17:50:04.035249',NULL,NULL,NULL,NULL);
INSERT INTO "replies" VALUES(6,NULL,2,NULL,NULL,'2026-11-24 17:50:04.075347','2026-11-24 17:50:04.075347','[]','1790000008.000900');
INSERT INTO "replies" VALUES(7,NULL,2,NULL,NULL,'2026-11-24 17:50:04.143248','2026-11-24 17:50:04.143248','[]','1790000008.000900');
INSERT INTO "replies" VALUES(8,NULL,2,NULL,NULL,'2026-11-24 17:50:04.187373','2026-11-24 17:50:04.187373','[]','1790000008.000900');
INSERT INTO "replies" VALUES(9,NULL,0,'died','2026-11-24 17:50:04.223656',NULL,NULL,NULL,'pending');
INSERT INTO "replies" VALUES(10,NULL,0,'died','2026-11-24 17:50:04.251588',NULL,NULL,NULL,'pending');
INSERT INTO "replies" VALUES(11,NULL,3,NULL,NULL,'2026-11-24 17:50:04.314775','2026-11-24 17:50:04.355595','[]',NULL);
INSERT INTO "replies" VALUES(12,'1790000012.000500',2,NULL,NULL,'2026-11-24 17:50:04.390788','2026-11-24 17:50:04.390788','[]',NULL);
INSERT INTO "replies" VALUES(14,NULL,2,NULL,NULL,'2026-11-24 17:50:04.427190','2026-11-24 17:50:04.427190','[]',NULL);
INSERT INTO "replies" VALUES(16,'1790000016.000500',2,NULL,NULL,'2026-11-24 17:50:04.635207','2026-11-24 17:50:04.635207','[]',NULL);
INSERT INTO "replies" VALUES(17,'1790000017.000500',2,NULL,NULL,'2026-11-24 17:50:04.663307','2026-11-24 17:50:04.663307','[]',NULL);
INSERT INTO "replies" VALUES(18,'1790000018.000500',4,NULL,NULL,'2026-11-24 17:50:04.683037','2026-11-24 17:50:04.746182','["app"]',NULL);
INSERT INTO "replies" VALUES(19,NULL,2,NULL,NULL,'2026-11-24 17:50:04.867341','2026-11-24 17:50:04.867341','[]',NULL);
INSERT INTO "replies" VALUES(21,'1790000021.000500',3,NULL,NULL,'2026-11-24 17:50:04.916072','2026-11-24 17:50:04.932607','[]',NULL);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	requested_by VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	progress JSON, 
	version INTEGER, 
	error TEXT, 
	requested_at DATETIME NOT NULL, 
	beat_at DATETIME NOT NULL, 
	open BOOLEAN, dry BOOLEAN DEFAULT false NOT NULL, report JSON, test_texts INTEGER, judgements INTEGER DEFAULT '0' NOT NULL, owner VARCHAR(255), attempts INTEGER DEFAULT '0' NOT NULL, cancelled_by VARCHAR(64), team VARCHAR(32), channel VARCHAR(32), status_ts VARCHAR(64), report_ts VARCHAR(64), reporting_at DATETIME, told_at DATETIME, watcher VARCHAR(32), watched_at DATETIME, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES(1,'U0SIMULUIS','done','{"stage": "training", "step": 5, "steps": 10, "epoch": 0, "loss": 0.4, "seconds_left": null, "note": null}',1,NULL,'2026-11-24 17:50:04.995888','2026-11-24 17:50:05.059322',NULL,0,'{"version": 1, "live": null, "comparison": {"texts": 100, "micro": {"value": 0.8, "low": 0.7, "high": 0.9}, "macro": {"value": 0.8, "low": 0.7, "high": 0.9}, "micro_gain": null, "macro_gain": null, "micro_floor": 0.7, "macro_floor": 0.6, "ece": 0.05, "ece_live": null, "per_label": {"reclamo": {"before": null, "after": 0.7, "support": 7}, "tarjeta": {"before": null, "after": 0.7, "support": 7}, "transferencia": {"before": null, "after": 0.7, "support": 7}, "fraude": {"before": null, "after": 0.7, "support": 7}, "app": {"before": null, "after": 0.7, "support": 7}, "acceso": {"before": null, "after": 0.7, "support": 7}, "prestamo": {"before": null, "after": 0.7, "support": 7}, "cuenta": {"before": null, "after": 0.7, "support": 7}, "comision": {"before": null, "after": 0.7, "support": 7}, "cajero": {"before": null, "after": 0.7, "support": 7}, "ahorro": {"before": null, "after": 0.7, "support": 7}, "agencia": {"before": null, "after": 0.7, "support": 7}, "urgente": {"before": null, "after": 0.7, "support": 7}, "agradecimiento": {"before": null, "after": 0.7, "support": 7}}}, "verdict": {"promote": true, "reasons": [{"code": "first", "good": true, "values": {}}]}, "promoted": true, "texts": {"train": 300, "dev": 50, "test": 100}, "corrections": 3, "judges": ["U0SIMULUIS", "U0SIMUANA"], "flips": [{"message_id": 1, "before": ["tarjeta"], "after": ["tarjeta", "app"]}, {"message_id": 21, "before": [], "after": ["fraude"]}], "blind": null, "uses": 0, "notes": [], "forms": []}',100,5,'vm/29743/ed2329d4',1,NULL,'T0SIMULADOR','C0SIMUATENCION','1790000100.000100','1790000100.000700',NULL,'2026-11-24 17:50:05.067117',NULL,NULL);
INSERT INTO "runs" VALUES(2,'U0SIMULUIS','done','{"stage": "training", "step": 5, "steps": 10, "epoch": 0, "loss": 0.4, "seconds_left": null, "note": null}',2,NULL,'2026-11-24 17:50:05.081448','2026-11-24 17:50:05.135216',NULL,0,'{"version": 2, "live": null, "comparison": {"texts": 100, "micro": {"value": 0.8, "low": 0.7, "high": 0.9}, "macro": {"value": 0.8, "low": 0.7, "high": 0.9}, "micro_gain": null, "macro_gain": null, "micro_floor": 0.7, "macro_floor": 0.6, "ece": 0.05, "ece_live": null, "per_label": {"reclamo": {"before": null, "after": 0.7, "support": 7}, "tarjeta": {"before": null, "after": 0.7, "support": 7}, "transferencia": {"before": null, "after": 0.7, "support": 7}, "fraude": {"before": null, "after": 0.7, "support": 7}, "app": {"before": null, "after": 0.7, "support": 7}, "acceso": {"before": null, "after": 0.7, "support": 7}, "prestamo": {"before": null, "after": 0.7, "support": 7}, "cuenta": {"before": null, "after": 0.7, "support": 7}, "comision": {"before": null, "after": 0.7, "support": 7}, "cajero": {"before": null, "after": 0.7, "support": 7}, "ahorro": {"before": null, "after": 0.7, "support": 7}, "agencia": {"before": null, "after": 0.7, "support": 7}, "urgente": {"before": null, "after": 0.7, "support": 7}, "agradecimiento": {"before": null, "after": 0.7, "support": 7}}}, "verdict": {"promote": true, "reasons": [{"code": "first", "good": true, "values": {}}]}, "promoted": false, "texts": {"train": 300, "dev": 50, "test": 100}, "corrections": 3, "judges": ["U0SIMULUIS", "U0SIMUANA"], "flips": [{"message_id": 1, "before": ["tarjeta"], "after": ["tarjeta", "app"]}, {"message_id": 21, "before": [], "after": ["fraude"]}], "blind": null, "uses": 0, "notes": [], "forms": []}',100,5,'vm/29743/50831ab3',1,NULL,'T0SIMULADOR','C0SIMUFRAUDES','1790000200.000100',NULL,'2026-11-24 17:50:05.151288',NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,'U0SIMULUIS','failed',NULL,NULL,'no memory','2026-11-24 17:50:05.165732','2026-11-24 17:50:05.174693',NULL,0,NULL,NULL,5,'elsewhere/1/x',1,NULL,'T0SIMULADOR','C0SIMUATENCION','1790000300.000100',NULL,NULL,'2026-11-24 17:50:05.191113',NULL,NULL);
INSERT INTO "runs" VALUES(4,'beto','failed',NULL,NULL,'no memory','2026-11-24 17:50:05.199266','2026-11-24 17:50:05.208494',NULL,0,NULL,NULL,5,'elsewhere/1/x',1,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24 17:50:05.199266',NULL,NULL);
INSERT INTO "runs" VALUES(5,'U0SIMUANA','running',NULL,NULL,NULL,'2026-11-24 17:50:05.215221','2026-11-24 17:50:05.219537',1,0,NULL,NULL,5,'elsewhere/1/x',1,NULL,'T0SIMULADOR','C0SIMUATENCION','1790000400.000100',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE sides (
	text_key VARCHAR(64) NOT NULL, 
	side VARCHAR(8) NOT NULL, 
	CONSTRAINT pk_sides PRIMARY KEY (text_key)
);
INSERT INTO "sides" VALUES('0000000000000000000000000000000000000000000000000000000000000000','train');
INSERT INTO "sides" VALUES('1111111111111111111111111111111111111111111111111111111111111111','test');
CREATE TABLE tallies (
	team VARCHAR(32) NOT NULL, 
	shard INTEGER NOT NULL, 
	messages INTEGER DEFAULT '0' NOT NULL, 
	gestures INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_tallies PRIMARY KEY (team, shard)
);
INSERT INTO "tallies" VALUES('T0SIMULADOR',1,3,1);
INSERT INTO "tallies" VALUES('T0SIMULADOR',2,3,1);
INSERT INTO "tallies" VALUES('T0SIMULADOR',3,3,1);
INSERT INTO "tallies" VALUES('T0SIMULADOR',4,3,1);
INSERT INTO "tallies" VALUES('T0SIMULADOR',5,3,1);
INSERT INTO "tallies" VALUES('T0SIMULADOR',6,2,0);
INSERT INTO "tallies" VALUES('T0SIMULADOR',7,2,0);
INSERT INTO "tallies" VALUES('T0SIMULADOR',0,2,0);
CREATE TABLE versions (
	number INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	card JSON NOT NULL, 
	created_at DATETIME NOT NULL, run_id INTEGER, removed_at DATETIME, 
	CONSTRAINT pk_versions PRIMARY KEY (number)
);
INSERT INTO "versions" VALUES(1,'v1','{"version": 1, "base": "mini", "labels": ["reclamo", "tarjeta", "transferencia", "fraude", "app", "acceso", "prestamo", "cuenta", "comision", "cajero", "ahorro", "agencia", "urgente", "agradecimiento"], "thresholds": {"reclamo": 0.5, "tarjeta": 0.5, "transferencia": 0.5, "fraude": 0.5, "app": 0.5, "acceso": 0.5, "prestamo": 0.5, "cuenta": 0.5, "comision": 0.5, "cajero": 0.5, "ahorro": 0.5, "agencia": 0.5, "urgente": 0.5, "agradecimiento": 0.5}, "seed": 7, "settings": {"epochs": 5}, "data_sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "texts": {"train": 300, "dev": 50, "test": 100}, "scores": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "floor": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "seconds": 12.0, "created_at": "2026-11-01T10:00:00+00:00", "code_version": "532ec3a", "parent": null, "forms": []}','2026-11-24 17:50:05.033676',1,NULL);
INSERT INTO "versions" VALUES(2,'v2','{"version": 2, "base": "mini", "labels": ["reclamo", "tarjeta", "transferencia", "fraude", "app", "acceso", "prestamo", "cuenta", "comision", "cajero", "ahorro", "agencia", "urgente", "agradecimiento"], "thresholds": {"reclamo": 0.5, "tarjeta": 0.5, "transferencia": 0.5, "fraude": 0.5, "app": 0.5, "acceso": 0.5, "prestamo": 0.5, "cuenta": 0.5, "comision": 0.5, "cajero": 0.5, "ahorro": 0.5, "agencia": 0.5, "urgente": 0.5, "agradecimiento": 0.5}, "seed": 7, "settings": {"epochs": 5}, "data_sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "texts": {"train": 300, "dev": 50, "test": 100}, "scores": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "floor": {"dev": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}, "test": {"texts": 100, "jaccard": 0.7, "micro_f1": 0.8, "macro_f1": 0.7, "exact_match": 0.6, "per_label": {"reclamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "tarjeta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "transferencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "fraude": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "app": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "acceso": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "prestamo": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cuenta": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "comision": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "cajero": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "ahorro": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agencia": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "urgente": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}, "agradecimiento": {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 7}}, "ece": 0.05}}, "seconds": 12.0, "created_at": "2026-11-01T10:00:00+00:00", "code_version": "532ec3a", "parent": null, "forms": []}','2026-11-24 17:50:05.108637',2,NULL);
CREATE TABLE workspace (
	id INTEGER NOT NULL, 
	team VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_workspace PRIMARY KEY (id)
);
INSERT INTO "workspace" VALUES(1,'T0SIMULADOR');
CREATE TABLE workspaces (
	team VARCHAR(32) NOT NULL, 
	retention_days INTEGER, 
	retention_corrected_days INTEGER, 
	CONSTRAINT pk_workspaces PRIMARY KEY (team)
);
INSERT INTO "workspaces" VALUES('T0SIMULADOR',365,NULL);
CREATE INDEX ix_gestures_item ON gestures (team, channel, item_ts);
CREATE INDEX ix_gestures_user ON gestures (team, user, at);
CREATE INDEX ix_messages_owed ON messages (retry_at) WHERE owed != 'nothing';
CREATE UNIQUE INDEX uq_runs_open ON runs (open);
CREATE INDEX ix_replies_ts ON replies (ts);
CREATE UNIQUE INDEX uq_versions_run_id ON versions (run_id);
CREATE INDEX ix_runs_status ON runs (team, channel, status_ts);
CREATE INDEX ix_messages_blind ON messages (id) WHERE blind;
CREATE TRIGGER messages_are_more after insert on messages begin insert into tallies (team, shard, messages) values (new.team, new.id % 8, 1) on conflict (team, shard) do update set messages = messages + 1; end;
CREATE TRIGGER messages_are_fewer after delete on messages begin update tallies set messages = messages - 1 where team = old.team and shard = old.id % 8; end;
CREATE TRIGGER gestures_are_more after insert on gestures begin insert into tallies (team, shard, gestures) values (new.team, new.id % 8, 1) on conflict (team, shard) do update set gestures = gestures + 1; end;
CREATE TRIGGER gestures_are_fewer after delete on gestures begin update tallies set gestures = gestures - 1 where team = old.team and shard = old.id % 8; end;
CREATE INDEX ix_learnt_text_id ON learnt (text_id);
CREATE INDEX ix_messages_kept ON messages (team, received_at) WHERE text != '';
CREATE INDEX ix_messages_user ON messages (team, user);
COMMIT;
