package io.remap.api;

/**
 * A disk as clients see it.
 *
 * @param name as clients ask for it, 1 to 255 characters
 * @param description for people, may be empty
 * @param disk what is served
 */
public record Export(String name, String description, Disk disk) {
    public static final int MAX_NAME_CHARS = 255;
}
