/* SPDX-License-Identifier: Apache-2.0 */
/** Commands about consumer groups: their backlog, why a message is not consumed, dead letters and quarantined keys. */
package io.waybill.cli.group;
