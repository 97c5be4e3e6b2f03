/** What all transports have in common where they listen and end their connections, without a library for sockets. */
package io.remap.api.listen;
