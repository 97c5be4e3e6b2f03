package io.remap.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Says in a few words what is wrong with a command line. */
final class Misuse {
    /** Most letters to change in what the user wrote to get to what they may have meant. */
    private static final int MAX_TYPOS = 2;

    private Misuse() {}

    static String explain(ParameterException e) {
        CommandSpec spec = e.getCommandLine().getCommandSpec();
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getUnmatched().isEmpty()) {
            return unknown(unmatched.getUnmatched().get(0), spec);
        }
        if (e instanceof MissingParameterException missing) {
            return missing(missing, spec);
        }
        String message =
                String.valueOf(e.getMessage()).replaceFirst("^[Ee]rror: ", "").replace("option option ", "option ");
        return message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1);
    }

    private static String unknown(String word, CommandSpec spec) {
        if (word.length() > 1 && word.startsWith("-")) {
            String name = word.contains("=") ? word.substring(0, word.indexOf('=')) : word;
            return "unknown option '" + name + "'" + suggestion(name, optionNames(spec));
        }
        if (!spec.subcommands().isEmpty()) {
            return "no command '" + word + "'"
                    + suggestion(word, List.copyOf(spec.subcommands().keySet()));
        }
        return "unexpected argument '" + word + "'";
    }

    /**
     * The parser complains of what is missing first, also where it is missing because the option before it is not known
     * at all.
     */
    private static String missing(MissingParameterException e, CommandSpec spec) {
        CommandLine.ParseResult parsed = e.getCommandLine().getParseResult();
        List<String> words = parsed == null ? List.of() : parsed.unmatched();
        for (String word : words) {
            if (word.startsWith("-")) {
                return unknown(word, spec);
            }
        }
        return e.getMissing().stream().map(Misuse::labelOf).distinct().collect(Collectors.joining(" and "))
                + (e.getMissing().size() == 1 ? " is missing" : " are missing");
    }

    private static String labelOf(ArgSpec argument) {
        return argument instanceof OptionSpec option
                ? option.longestName() + " " + option.paramLabel()
                : argument.paramLabel();
    }

    private static List<String> optionNames(CommandSpec spec) {
        return spec.options().stream()
                .flatMap(option -> List.of(option.names()).stream())
                .filter(name -> name.startsWith("--"))
                .toList();
    }

    /** The name that was meant, if one is near enough: it begins so, or differs in a few letters. */
    static String suggestion(String word, List<String> names) {
        String best = null;
        int bestDistance = MAX_TYPOS + 1;
        for (String name : names) {
            int distance = word.length() > MAX_TYPOS && name.startsWith(word) ? 0 : distance(word, name);
            if (distance < bestDistance && distance < name.length()) {
                best = name;
                bestDistance = distance;
            }
        }
        return best == null ? "" : " (did you mean '" + best + "'?)";
    }

    /** How many letters must be put in, taken away or changed (Levenshtein). */
    private static int distance(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int column = 0; column < row.length; column++) {
            row[column] = column;
        }
        for (int index = 0; index < from.length(); index++) {
            int diagonal = row[0];
            row[0] = index + 1;
            for (int column = 1; column < row.length; column++) {
                int changed = diagonal + (from.charAt(index) == to.charAt(column - 1) ? 0 : 1);
                diagonal = row[column];
                row[column] = Math.min(changed, 1 + Math.min(row[column], row[column - 1]));
            }
        }
        return row[to.length()];
    }
}
