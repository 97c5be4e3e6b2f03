package io.remap.api.spi;

import io.remap.api.Refusal;

/** The arguments of one command; whatever does not fit is refused with the command, the argument and what was expected. */
public interface CommandArguments {
    /** Whether an argument was given. */
    boolean has(String name);

    /** A text that must be there. */
    String text(String name) throws Refusal;

    /** A text, or what holds without it. */
    String text(String name, String otherwise) throws Refusal;

    /** A whole number within a range that must be there. */
    long number(String name, long min, long max) throws Refusal;

    /** A whole number within a range, or what holds without it. */
    long number(String name, long min, long max, long otherwise) throws Refusal;

    /** A truth value, false if it is not given. */
    boolean flag(String name) throws Refusal;
}
