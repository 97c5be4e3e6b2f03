package io.remap.api.spi;

import io.remap.api.Refusal;
import java.util.List;

/**
 * A command that a feature answers: part of the {@link ControlCommands} of the service while the feature stands.
 *
 * @param name for example {@code scan.start}
 * @param arguments their names; {@code disk}, which chooses the disk, is not among them
 * @param body carries it out
 */
public record FeatureCommand(String name, List<String> arguments, Body body) {
    public FeatureCommand {
        arguments = List.copyOf(arguments);
    }

    /** Carries a command out. */
    @FunctionalInterface
    public interface Body {
        /**
         * May take as long as the command does. Any thread.
         *
         * @return strings, numbers, booleans, lists and maps of these
         */
        Object run(CommandArguments arguments) throws Refusal;
    }
}
