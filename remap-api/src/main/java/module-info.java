/**
 * The vocabulary of remap and the service-provider interfaces of its roles.
 *
 * <p>Every other module requires this one; it requires nothing but the logging facade. {@code io.remap.api} holds the
 * words (devices, requests, errors by class, the remap table, attributes, settings), {@code io.remap.api.spi} the roles
 * that a module may fill, {@code io.remap.api.listen} what transports share. Providers are declared in the {@code module-info} of the module that fills a role and are
 * loaded by {@code io.remap.core} alone.
 */
module io.remap.api {
    requires transitive org.slf4j;

    exports io.remap.api;
    exports io.remap.api.listen;
    exports io.remap.api.spi;
}
