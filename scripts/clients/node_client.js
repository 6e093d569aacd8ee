// One client of Node against a pool: node node_client.js NAME PORT PASSWORD, in a folder with the
// packages. Prints "step ok" or "step failed: reason" for each step, and the client's version.
const [name, port, password] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
const TABLE = "CREATE TABLE pool.dbo.client (id int NOT NULL, name nvarchar(20)) WITH (HEAP)";
const ENDLESS = "DECLARE @i int = 0; WHILE 1 = 1 SET @i = 1 - @i";
const load = (module) => require(require.resolve(module, { paths: [process.cwd()] }));

async function step(label, work) {
  try {
    await work();
    console.log(label, "ok");
  } catch (error) {
    console.log(label, "failed:", String(error.message || error).replace(/\n/g, " ").slice(0, 150));
  }
}

function equal(value, wanted) {
  if (JSON.stringify(value) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(value)}`);
}

async function tedious() {
  const { Connection, Request, TYPES } = load("tedious");
  const connection = new Connection({
    server: "127.0.0.1",
    authentication: { type: "default", options: { userName: "someone", password } },
    options: { port, database: "pool", trustServerCertificate: true, requestTimeout: 0 },
  });
  const run = (text, parameters = [], started = () => {}) =>
    new Promise((resolve, reject) => {
      const rows = [];
      const request = new Request(text, (error) => (error ? reject(error) : resolve(rows)));
      request.on("row", (columns) => rows.push(columns.map((column) => column.value)));
      parameters.forEach(([label, type, value]) => request.addParameter(label, type, value));
      if (parameters.length) connection.execSql(request);
      else connection.execSqlBatch(request);
      started();
    });
  await step("connect", () => new Promise((resolve, reject) =>
    connection.connect((error) => (error ? reject(error) : resolve()))));
  await step("query", async () => equal(await run("SELECT N'ž' AS a"), [["ž"]]));
  await step("parameters", async () => {
    await run("DROP TABLE IF EXISTS pool.dbo.client");
    await run(TABLE);
    await run("INSERT INTO pool..client SELECT @id, @name",
      [["id", TYPES.Int, 7], ["name", TYPES.NVarChar, "Zürich"]]);
    equal(await run("SELECT id, name FROM pool.dbo.client"), [[7, "Zürich"]]);
  });
  await step("transaction", async () => {
    await run("BEGIN TRANSACTION");
    await run("INSERT INTO dbo.client SELECT 8, N'x'");
    await run("ROLLBACK TRANSACTION");
    equal(await run("SELECT COUNT(*) FROM dbo.client"), [[1]]);
  });
  await step("catalog", async () => equal(await run(
    "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'client' ORDER BY 1"),
    [["id"], ["name"]]));
  await step("cancel", async () => {
    let ended = "";
    await run(ENDLESS, [], () => setTimeout(() => connection.cancel(), 2000))
      .catch((error) => { ended = error.code; });
    equal(ended, "ECANCEL");
    equal(await run("SELECT 42 AS a"), [[42]]);
  });
  connection.close();
}

async function knex() {
  const db = load("knex")({ client: "mssql", connection: {
    server: "127.0.0.1", port, user: "someone", password, database: "pool",
    options: { encrypt: true, trustServerCertificate: true } } });
  await step("connect", () => db.raw("SELECT 1 AS a"));
  await step("query", async () => {
    await db.raw("DROP TABLE IF EXISTS pool.dbo.client");
    await db.raw(TABLE);
    equal(await db.select(db.raw("N'ž' AS a")), [{ a: "ž" }]);
  });
  await step("parameters", async () => {
    await db.raw("INSERT INTO dbo.client SELECT ?, ?", [7, "Zürich"]);
    equal(await db("client").where({ id: 7 }), [{ id: 7, name: "Zürich" }]);
  });
  await step("transaction", async () => {
    await db.transaction(async (inside) => {
      await inside.raw("INSERT INTO dbo.client SELECT 8, N'x'");
      throw new Error("rolled back");
    }).catch(() => {});
    equal(await db("client").count("id as n"), [{ n: 1 }]);
  });
  await step("catalog", async () => equal(await db.schema.hasTable("client"), true));
  await db.destroy();
}

async function sequelize() {
  const { Sequelize, DataTypes } = load("sequelize");
  const db = new Sequelize("pool", "someone", password, { host: "127.0.0.1", port,
    dialect: "mssql", logging: false, dialectModule: load("tedious"),
    dialectOptions: { options: { trustServerCertificate: true } } });
  await step("connect", () => db.authenticate());
  await step("query", async () => {
    await db.query("DROP TABLE IF EXISTS pool.dbo.client");
    await db.query(TABLE);
    equal((await db.query("SELECT N'ž' AS a"))[0], [{ a: "ž" }]);
  });
  const Client = db.define("client", { id: { type: DataTypes.INTEGER, primaryKey: true },
    name: DataTypes.STRING }, { tableName: "client", schema: "dbo", timestamps: false });
  await step("parameters", async () => {
    await db.query("INSERT INTO dbo.client SELECT ?, ?", { replacements: [7, "Zürich"] });
    equal((await Client.findAll({ where: { id: 7 } }))[0].name, "Zürich");
  });
  await step("transaction", async () => {
    await db.transaction(async (transaction) => {
      await db.query("INSERT INTO dbo.client SELECT 8, N'x'", { transaction });
      throw new Error("rolled back");
    }).catch(() => {});
    equal(await Client.count(), 1);
  });
  await step("catalog", async () => {
    const columns = await db.getQueryInterface().describeTable("client", { schema: "dbo" });
    equal(Object.keys(columns).sort(), ["id", "name"]);
  });
  await db.close();
}

async function typeorm() {
  const { DataSource, EntitySchema } = load("typeorm");
  const Client = new EntitySchema({ name: "client", tableName: "client", schema: "dbo",
    columns: { id: { type: "int", primary: true }, name: { type: "nvarchar", length: 20 } } });
  const db = new DataSource({ type: "mssql", host: "127.0.0.1", port, username: "someone", password,
    database: "pool", entities: [Client], options: { trustServerCertificate: true } });
  await step("connect", () => db.initialize());
  await step("query", async () => {
    await db.query("DROP TABLE IF EXISTS pool.dbo.client");
    await db.query(TABLE);
    equal(await db.query("SELECT N'ž' AS a"), [{ a: "ž" }]);
  });
  await step("parameters", async () => {
    await db.query("INSERT INTO dbo.client SELECT @0, @1", [7, "Zürich"]);
    equal(await db.getRepository(Client).findBy({ id: 7 }), [{ id: 7, name: "Zürich" }]);
  });
  await step("transaction", async () => {
    await db.transaction(async (manager) => {
      await manager.query("INSERT INTO dbo.client SELECT 8, N'x'");
      throw new Error("rolled back");
    }).catch(() => {});
    equal(await db.getRepository(Client).count(), 1);
  });
  await step("catalog", async () => {
    const runner = db.createQueryRunner();
    const table = await runner.getTable("dbo.client");
    equal(table.columns.map((column) => column.name).sort(), ["id", "name"]);
    await runner.release();
  });
  await db.destroy();
}

const installed = JSON.parse(require("fs").readFileSync("package-lock.json"));
process.on("uncaughtException", (error) => console.log("uncaught failed:", error.message));
({ tedious, knex, sequelize, typeorm })[name]().then(() => {
  console.log("version", installed.packages[`node_modules/${name}`].version);
  process.exit(0);
});
