/** The vocabulary of remap and the roles (SPI) that its parts fill. */
module io.remap.api {
    requires transitive org.slf4j;
}
