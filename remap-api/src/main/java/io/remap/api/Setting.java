package io.remap.api;

/**
 * A named value that the user may choose before the start ({@code --set name=value}).
 *
 * @param name lower case, dots and dashes, the unit last: {@code start-delay.health-millis}
 * @param defaultValue what holds if nothing is chosen
 * @param doc one sentence with the range
 */
public record Setting(String name, String defaultValue, String doc) {}
