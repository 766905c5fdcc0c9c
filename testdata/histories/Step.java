import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.flywaydb.core.Flyway;

/** Migrates one database each time a line comes in: URL USER DIRECTORY. */
class Step {
    public static void main(String[] args) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String said = "ok";
            try {
                // A new instance: the files have changed. "skip" records what is pending
                // without running it.
                Flyway.configure()
                    .dataSource(args[0], args[1], System.getenv("PGPASSWORD"))
                    .locations("filesystem:" + args[2])
                    .baselineOnMigrate(true).baselineVersion("0")
                    .skipExecutingMigrations(line.equals("skip"))
                    .load().migrate();
            } catch (Exception e) {
                said = e.getMessage().strip().replace("\n", "\\n");
            }
            System.out.println("step: " + said);
        }
    }
}
