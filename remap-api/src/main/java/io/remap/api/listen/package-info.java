/** What all transports have in common where they listen, without a library for sockets. */
package io.remap.api.listen;
