BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE hpo_curves (
	plan_id VARCHAR(32) NOT NULL, 
	trial_number INTEGER NOT NULL, 
	curves TEXT NOT NULL, 
	PRIMARY KEY (plan_id, trial_number)
);
INSERT INTO "hpo_curves" VALUES('a7f2d32e03164938827c57b349100b9e',2,'{"epochs":{"samples":[8],"evaluation_loss":[0.25]}}');
CREATE TABLE hpo_plans (
	plan_id VARCHAR(32) NOT NULL, 
	stop_at FLOAT, 
	stop_reason TEXT, 
	PRIMARY KEY (plan_id)
);
INSERT INTO "hpo_plans" VALUES('a7f2d32e03164938827c57b349100b9e',NULL,NULL);
INSERT INTO "hpo_plans" VALUES('90f0f6899aaf448589c59d9ae786796c',NULL,NULL);
CREATE TABLE hpo_points (
	plan_id VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	params TEXT, 
	factor TEXT, 
	level TEXT, 
	replicate INTEGER, 
	seed INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	attempt INTEGER NOT NULL, 
	lost INTEGER NOT NULL, 
	worker VARCHAR(255), 
	host VARCHAR(255), 
	machine VARCHAR(64), 
	lease_until FLOAT, 
	trial_number INTEGER, 
	reason TEXT, 
	PRIMARY KEY (plan_id, number)
);
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',0,NULL,NULL,NULL,NULL,592655746,'DONE',1,0,'w/0','host','machine',NULL,2,NULL);
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',1,NULL,NULL,NULL,NULL,1320348624,'DONE',2,0,'w/0','host','machine',NULL,4,NULL);
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',2,NULL,NULL,NULL,NULL,387529116,'FAILED',1,0,'w/0','host','machine',NULL,5,'ValueError: no');
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',3,NULL,NULL,NULL,NULL,826533030,'LEASED',2,1,'w/2','host','machine',1.0e+09,NULL,NULL);
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',4,NULL,NULL,NULL,NULL,278271093,'FREE',0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "hpo_points" VALUES('a7f2d32e03164938827c57b349100b9e',5,NULL,NULL,NULL,NULL,2083177767,'FREE',0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "hpo_points" VALUES('90f0f6899aaf448589c59d9ae786796c',0,'{"lr": "0.1"}',NULL,NULL,0,1,'DONE',1,0,'w/3','host','machine',NULL,0,NULL);
INSERT INTO "hpo_points" VALUES('90f0f6899aaf448589c59d9ae786796c',1,'{"lr": "0.01"}','lr','0.01',0,1,'FREE',0,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE hpo_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "hpo_schema" VALUES(1);
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'stock');
INSERT INTO "studies" VALUES(2,'search');
INSERT INTO "studies" VALUES(3,'factors');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MAXIMIZE',3,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'mine','1');
INSERT INTO "study_user_attributes" VALUES(2,2,'hpo_plan_id','"a7f2d32e03164938827c57b349100b9e"');
INSERT INTO "study_user_attributes" VALUES(3,2,'hpo_study','{"study": "search", "objective": "objective.py:objective", "search_space": {"x": {"low": 0.0, "high": 1.0}}, "method": "tpe", "directions": ["minimize"], "n_trials": 6, "timeout_s": null, "target": null, "max_epochs_total": null, "stop_when_stalled": null, "pruner": null, "sampler": {"name": "tpe", "arguments": {}}, "start_with": [], "seed": 1, "fixed": {}, "baseline": null, "vary": null, "replicates": 1, "claims": [], "metrics": ["accuracy"], "devices": null, "threads": null, "retries": 2, "max_failures": null, "stop_grace_s": 30.0, "artifacts": null, "keep": "all"}');
INSERT INTO "study_user_attributes" VALUES(4,2,'hpo_objective','"def objective(trial):\n    return trial.suggest_float(''x'', 0.0, 1.0)\n"');
INSERT INTO "study_user_attributes" VALUES(5,2,'hpo_version','"0.1.0"');
INSERT INTO "study_user_attributes" VALUES(6,2,'hpo_environment','{"python": "3.11.4", "hpo-service": "0.1.0", "optuna": "5.0.0"}');
INSERT INTO "study_user_attributes" VALUES(7,3,'hpo_plan_id','"90f0f6899aaf448589c59d9ae786796c"');
INSERT INTO "study_user_attributes" VALUES(8,3,'hpo_study','{"study": "factors", "objective": "objective.py:objective", "search_space": {"lr": {"choices": ["0.1", "0.01"]}}, "method": "controlled", "directions": ["maximize"], "n_trials": null, "timeout_s": null, "target": null, "max_epochs_total": null, "stop_when_stalled": null, "pruner": null, "sampler": null, "start_with": [], "seed": 1, "fixed": {}, "baseline": {"lr": 0.1, "width": 8}, "vary": {"lr": {"0.01": {"lr": 0.01}}}, "replicates": 1, "claims": [], "metrics": ["accuracy"], "devices": null, "threads": null, "retries": 2, "max_failures": null, "stop_grace_s": 30.0, "artifacts": null, "keep": "all"}');
INSERT INTO "study_user_attributes" VALUES(9,3,'hpo_objective','"def objective(trial):\n    return trial.suggest_float(''x'', 0.0, 1.0)\n"');
INSERT INTO "study_user_attributes" VALUES(10,3,'hpo_version','"0.1.0"');
INSERT INTO "study_user_attributes" VALUES(11,3,'hpo_environment','{"python": "3.11.4", "hpo-service": "0.1.0", "optuna": "5.0.0"}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,5,1,0.3,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,7,1,0.5,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'x',0.0469573333355191,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(2,2,'x',0.455412148678629,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(3,3,'x',0.0469573333355191,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(4,4,'x',0.455412148678629,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(5,5,'x',0.0715885814449494,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(6,6,'x',7.9883561745515818675e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(7,7,'x',9.21674171574305534093e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(8,8,'x',3.82580072350249933421e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(9,9,'x',4.5734327727775969663e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(10,10,'x',9.6174243243935308989e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(11,11,'lr',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["0.1", "0.01"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,3,'warm_start','"stock, trial 0"');
INSERT INTO "trial_user_attributes" VALUES(2,4,'warm_start','"stock, trial 1"');
INSERT INTO "trial_user_attributes" VALUES(3,5,'point','0');
INSERT INTO "trial_user_attributes" VALUES(4,5,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(5,5,'seed','592655746');
INSERT INTO "trial_user_attributes" VALUES(6,5,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(7,5,'worker','"w/0"');
INSERT INTO "trial_user_attributes" VALUES(8,5,'run_time_s','1.5');
INSERT INTO "trial_user_attributes" VALUES(9,6,'point','1');
INSERT INTO "trial_user_attributes" VALUES(10,6,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(11,6,'seed','1320348624');
INSERT INTO "trial_user_attributes" VALUES(12,6,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(13,6,'worker','"w/1"');
INSERT INTO "trial_user_attributes" VALUES(14,6,'reason','"released: interrupted"');
INSERT INTO "trial_user_attributes" VALUES(15,7,'point','1');
INSERT INTO "trial_user_attributes" VALUES(16,7,'attempt','2');
INSERT INTO "trial_user_attributes" VALUES(17,7,'seed','1320348624');
INSERT INTO "trial_user_attributes" VALUES(18,7,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(19,7,'worker','"w/0"');
INSERT INTO "trial_user_attributes" VALUES(20,7,'run_time_s','0.5');
INSERT INTO "trial_user_attributes" VALUES(21,8,'point','2');
INSERT INTO "trial_user_attributes" VALUES(22,8,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(23,8,'seed','387529116');
INSERT INTO "trial_user_attributes" VALUES(24,8,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(25,8,'worker','"w/0"');
INSERT INTO "trial_user_attributes" VALUES(26,8,'run_time_s','0.1');
INSERT INTO "trial_user_attributes" VALUES(27,8,'reason','"ValueError: no"');
INSERT INTO "trial_user_attributes" VALUES(28,9,'point','3');
INSERT INTO "trial_user_attributes" VALUES(29,9,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(30,9,'seed','826533030');
INSERT INTO "trial_user_attributes" VALUES(31,9,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(32,9,'worker','"w/0"');
INSERT INTO "trial_user_attributes" VALUES(33,9,'reason','"its worker was killed by SIGKILL"');
INSERT INTO "trial_user_attributes" VALUES(34,10,'point','3');
INSERT INTO "trial_user_attributes" VALUES(35,10,'attempt','2');
INSERT INTO "trial_user_attributes" VALUES(36,10,'seed','826533030');
INSERT INTO "trial_user_attributes" VALUES(37,10,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(38,10,'worker','"w/2"');
INSERT INTO "trial_user_attributes" VALUES(39,11,'replicate','0');
INSERT INTO "trial_user_attributes" VALUES(40,11,'point','0');
INSERT INTO "trial_user_attributes" VALUES(41,11,'attempt','1');
INSERT INTO "trial_user_attributes" VALUES(42,11,'seed','1');
INSERT INTO "trial_user_attributes" VALUES(43,11,'device','"cpu"');
INSERT INTO "trial_user_attributes" VALUES(44,11,'worker','"w/3"');
INSERT INTO "trial_user_attributes" VALUES(45,11,'run_time_s','0.5');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.0469573333355191,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,0.455412148678629,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,0.0469573333355191,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,0.455412148678629,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,0.25,'FINITE');
INSERT INTO "trial_values" VALUES(6,7,0,0.5,'FINITE');
INSERT INTO "trial_values" VALUES(7,11,0,0.75,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-25 14:47:30.459717','2026-11-25 14:47:30.490229');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-25 14:47:30.504570','2026-11-25 14:47:30.513986');
INSERT INTO "trials" VALUES(3,0,2,'COMPLETE','2026-11-25 14:47:30.573778','2026-11-25 14:47:30.573778');
INSERT INTO "trials" VALUES(4,1,2,'COMPLETE','2026-11-25 14:47:30.573799','2026-11-25 14:47:30.573799');
INSERT INTO "trials" VALUES(5,2,2,'COMPLETE','2026-11-25 14:47:30.588140','2026-11-25 14:47:30.599087');
INSERT INTO "trials" VALUES(6,3,2,'FAIL','2026-11-25 14:47:30.600148','2026-11-25 14:47:30.607106');
INSERT INTO "trials" VALUES(7,4,2,'PRUNED','2026-11-25 14:47:30.607927','2026-11-25 14:47:30.614639');
INSERT INTO "trials" VALUES(8,5,2,'FAIL','2026-11-25 14:47:30.615717','2026-11-25 14:47:30.621948');
INSERT INTO "trials" VALUES(9,6,2,'FAIL','2026-11-25 14:47:30.622837','2026-11-25 14:47:30.631633');
INSERT INTO "trials" VALUES(10,7,2,'RUNNING','2026-11-25 14:47:30.632479',NULL);
INSERT INTO "trials" VALUES(11,0,3,'COMPLETE','2026-11-25 14:47:30.638735','2026-11-25 14:47:30.643865');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_hpo_points_state ON hpo_points (plan_id, state, number);
COMMIT;