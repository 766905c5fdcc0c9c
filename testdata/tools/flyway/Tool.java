import java.io.*;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.configuration.*;
import org.flywaydb.core.internal.configuration.ConfigUtils;
import org.flywaydb.core.internal.parser.ParsingContext;
import org.flywaydb.core.internal.resource.StringResource;
import org.flywaydb.core.internal.sqlscript.SqlStatement;
import org.flywaydb.database.postgresql.PostgreSQLParser;

/**
 * Runs Flyway as its command line does, for tests:
 *
 *   Tool up URL DIR [KEY=VALUE ...]        apply what is new
 *   Tool pending URL DIR [KEY=VALUE ...]   list what up would apply, a file a line
 *   Tool serve                             up for each line that comes in, URL and DIR
 *                                          with a tab between; says "ok" or what is wrong
 *   Tool split                             cut each text that comes in
 *
 * A flyway.conf beside DIR counts. For split, texts and answers have their
 * length before them, as four bytes; an answer is, for each statement, T or N
 * (may run in a transaction or not), its length in UTF-16, a colon and the
 * statement, and ERR and a message where Flyway refuses the text.
 */
class Tool {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("split")) {
            split();
            return;
        }
        if (args[0].equals("serve")) {
            var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line; (line = lines.readLine()) != null; ) {
                String said = "ok";
                try {
                    configure(("up\t" + line).split("\t")).migrate();
                } catch (Exception e) {
                    said = "Flyway: " + e.getMessage().strip().replaceAll("\\s*\n\\s*", " | ");
                }
                System.out.println(said);
            }
            return;
        }
        try {
            var flyway = configure(args);
            if (args[0].equals("up")) {
                flyway.migrate();
            } else {
                for (var m : flyway.info().pending()) {
                    System.out.println(m.getScript());
                }
            }
        } catch (Exception e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    static Flyway configure(String[] args) throws Exception {
        var url = new URI(args[1]);
        var user = url.getRawUserInfo().split(":", 2);
        var keys = new HashMap<String, String>();
        var conf = Path.of(args[2]).resolveSibling("flyway.conf");
        if (Files.exists(conf)) {
            keys.putAll(ConfigUtils.loadConfigurationFile(conf.toFile(), "UTF-8", true));
        }
        // Else Flyway's own lock holds the snapshot that CREATE INDEX CONCURRENTLY waits for.
        keys.putIfAbsent("flyway.postgresql.transactional.lock", "false");
        keys.putIfAbsent("flyway.locations", "filesystem:" + args[2]);
        for (var pair : Arrays.asList(args).subList(3, args.length)) {
            keys.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
        }
        return Flyway.configure()
            .configuration(keys)
            .dataSource("jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath(),
                decoded(user[0]), user.length > 1 ? decoded(user[1]) : null)
            .load();
    }

    static String decoded(String s) {
        return java.net.URLDecoder.decode(s.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    static void split() throws Exception {
        var conf = new ClassicConfiguration();
        conf.setPlaceholderReplacement(false);
        var in = new DataInputStream(new BufferedInputStream(System.in));
        var out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)));
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException e) {
                return;
            }
            var text = new String(in.readNBytes(length), StandardCharsets.UTF_8);
            var said = new StringBuilder();
            try {
                var all = new PostgreSQLParser(conf, new ParsingContext()).parse(new StringResource(text));
                for (SqlStatement s; (s = all.next()) != null; ) {
                    said.append(s.canExecuteInTransaction() ? "T" : "N").append(s.getSql().length()).append(":").append(s.getSql()).append("\n");
                }
            } catch (Exception e) {
                said.append("ERR ").append(e.getMessage());
            }
            var answer = said.toString().getBytes(StandardCharsets.UTF_8);
            out.writeInt(answer.length);
            out.write(answer);
            out.flush();
        }
    }
}
